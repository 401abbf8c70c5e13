"""Page of a learning curve: scores against the number of training galaxies, and paired differences.

In goes the dictionary of `evaluation.learning_curve.learning_curve`; returns the path of the page.
"""

from functools import partial
from pathlib import Path

from photoz_morph.photoz.evaluation.comparison import INTERVAL_ERRORS
from photoz_morph.photoz.evaluation.learning_curve import CURVE_SCORES, NETWORK
from photoz_morph.photoz.report.figures.learning_curve import learning_curve_figure
from photoz_morph.photoz.report.tables.columns import COLUMNS, score_text
from photoz_morph.photoz.report.text import BANNERS
from photoz_morph.report import html
from photoz_morph.report.page import Entry, Overview, write_page
from photoz_morph.runs.scores import write_scores

GUESS = "no information"  # a bound that is not drawn: it is far above the others


def write_learning_curve(curve, out_dir, survey_name="SDSS", progress=True):
    """Write `report.html`, the figure as PNG and PDF, and `learning_curve.json`.

    Parameters
    ----------
    curve : dict
        From `evaluation.learning_curve.learning_curve`.
    out_dir : path-like
        Made if missing.
    survey_name : str
    progress : bool

    Returns
    -------
    Path
        The page.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    write_scores(curve, out_dir / "learning_curve.json")
    sizes, is_real = curve["sizes"], curve["data"] == "real"
    galaxies = f"{curve['data']} {survey_name} galaxies"
    n_training = [size["n_training"] for size in sizes]
    title = f"{galaxies[0].upper()}{galaxies[1:]}: learning curve"
    caption = (
        f"Scores of {galaxies} against the number of training galaxies, each of its own test galaxies (the table below "
        "has their numbers); points of one size are moved apart. Lines of circles: the networks; solid and dotted: "
        "baselines trained on the same galaxies; dashed: bounds that only a simulation knows. ± is the bootstrap error."
    )
    entries = [
        Entry("Learning curve", "learning_curve", caption,
              partial(learning_curve_figure, n_training, drawn_methods(sizes), title)),
        Entry("Learning curve", html=_scores_table(sizes, galaxies)),
        *_differences(sizes, curve["shared"], galaxies),
        Entry("Runs", html=_runs_table(sizes)),
        Entry("Runs", html=html.paragraph(f"Errors resample {curve['resampled']} ({curve['n_bootstrap']} times).")),
    ]  # fmt: skip
    last = sizes[-1]
    numbers = {COLUMNS[name][0]: score_text(last["methods"][NETWORK][name], COLUMNS[name]) for name in CURVE_SCORES}
    overview = Overview(
        f"Networks from {n_training[0]:,} to {n_training[-1]:,} training galaxies: {gain_sentence(curve)}",
        numbers, f"Of the largest training set, {last['n_galaxies']:,} {galaxies}.", ("learning_curve",),
    )  # fmt: skip
    return write_page(
        entries, out_dir, title="Learning curve", banner=BANNERS[is_real].format(survey=survey_name), is_real=is_real,
        overview=overview, progress=progress,
        footer=f"Written by photoz learning-curve on {{date}}. Code: photoz-morph {curve['code']}.",
    )  # fmt: skip


def drawn_methods(sizes):
    """Method -> (kind, scores by size or None) of what the figure shows, in the order of the first size that has it."""
    names = dict.fromkeys(name for size in sizes for name in size["methods"] if name != GUESS)
    return {
        name: (
            next(size["kinds"][name] for size in sizes if name in size["kinds"]),
            [size["methods"].get(name) for size in sizes],
        )
        for name in names
    }


def gain_sentence(curve):
    """What the largest training set gains over the smallest in sigma_MAD, in words."""
    shared = curve["shared"]
    if shared is None:
        first, last = (curve["sizes"][end]["methods"][NETWORK]["sigma_mad"] for end in (0, -1))
        return (
            f"sigma_MAD {first['value']:.5f} ± {first['error']:.5f} and {last['value']:.5f} ± {last['error']:.5f}, on "
            "different galaxies."
        )
    first, last = (shared["methods"][NETWORK][end]["sigma_mad"]["value"] for end in (0, -1))
    low, high = shared["differences"][NETWORK][-1]["sigma_mad"]["interval"]
    return (
        f"sigma_MAD {first:.5f} and {last:.5f} on the same {shared['n_galaxies']:,} galaxies, a difference of "
        f"{last - first:+.5f} (95 % interval {low:+.5f} to {high:+.5f})."
    )


def _scores_table(sizes, galaxies):
    """A row for each method and size."""
    rows = [
        [f"{size['n_training']:,}", name, size["kinds"][name], f"{size['n_galaxies']:,}",
         *(score_text(scores[score], COLUMNS[score]) for score in ("bias", *CURVE_SCORES))]
        for size in sizes for name, scores in size["methods"].items()
    ]  # fmt: skip
    titles = ["training galaxies", "method", "", "test galaxies"]
    titles += [COLUMNS[name][0] for name in ("bias", *CURVE_SCORES)]
    return html.table(titles, rows, f"Scores of the test {galaxies} of each run. ± is the bootstrap error.")


def _differences(sizes, shared, galaxies):
    """Paired differences between methods at each size, and between sizes for each method."""
    rows = [
        [f"{size['n_training']:,}", f"{name} - {NETWORK}",
         *(_with_interval(part[score], score) for score in CURVE_SCORES)]
        for size in sizes for name, part in size["differences"].items()
    ]  # fmt: skip
    titles = ["training galaxies", "difference", *(COLUMNS[name][0] for name in CURVE_SCORES)]
    caption = (
        f"Differences from the network, paired on the test {galaxies} of each run, with their 95 % intervals "
        f"({INTERVAL_ERRORS} errors to either side)."
    )
    entries = [Entry("Paired differences", html=html.table(titles, rows, caption))]
    if shared is None:
        text = "The runs have no test galaxies in common, so sizes are not compared in pairs."
        return [*entries, Entry("Paired differences", html=html.paragraph(text))]
    first = sizes[0]["n_training"]
    rows = [
        [name, f"{size['n_training']:,} - {first:,}", *(_with_interval(part[score], score) for score in CURVE_SCORES)]
        for name, parts in shared["differences"].items() for size, part in zip(sizes[1:], parts)
    ]  # fmt: skip
    caption = (
        f"What more training galaxies change, paired on the {shared['n_galaxies']:,} test galaxies that all runs have "
        f"in common ({shared['n_groups']:,} parents), with 95 % intervals."
    )
    table = html.table(["method", "difference", *titles[2:]], rows, caption)
    return [*entries, Entry("Paired differences", html=table)]


def _with_interval(part, score):
    """A difference and its 95 % interval."""
    _, factor, digits = COLUMNS[score]
    value, low, high = (f"{factor * number:+.{digits}f}" for number in (part["value"], *part["interval"]))
    return f"{value} ({low} to {high})"


def _runs_table(sizes):
    """The runs behind the sizes."""
    rows = [[f"{size['n_training']:,}", size["run"], size["networks"], ", ".join(size["changes"])] for size in sizes]
    caption = (
        "Other keys are those in which the config differs from that of the first run, beside size and training length."
    )
    return html.table(["training galaxies", "run folder", "networks", "other keys"], rows, caption)
