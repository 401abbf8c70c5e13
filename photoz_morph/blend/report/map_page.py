"""The report on maps, fields and parameters: figures as PNG and PDF, a table of all scores, and one HTML page.

Takes scores, predictions and the truth as arrays, and returns the path of the page.
"""

from pathlib import Path

import numpy as np

from photoz_morph.blend.maps.scores import answers_markdown, answers_rows, text_of
from photoz_morph.blend.report.figures.maps import galaxy_maps, pixel_planes, restored_fields
from photoz_morph.blend.report.figures.parameters import parameter_scatter, pull_distributions
from photoz_morph.blend.report.figures.spectra import spectra_by_scale, spectra_of_parameters
from photoz_morph.blend.report.map_results import choose_images
from photoz_morph.blend.report.provenance import provenance_entries
from photoz_morph.blend.report.style import BASELINE_STYLES, NETWORK_STYLES
from photoz_morph.report import html
from photoz_morph.report.page import Entry, Overview, write_page
from photoz_morph.report.style import write_text
from photoz_morph.report.text import DATA_NAMES, count, made_from

BASELINES = ("pixelwise", "wiener", "power_ridge")  # models of `baselines.of_maps`
HEADINGS = {
    "maps": "Maps of stars and dust", "field": "Fields of matter restored", "parameters": "Parameters behind fields",
}  # fmt: skip
TITLES = {"maps": "Simulated galaxies", "field": "Simulated fields", "parameters": "Simulated fields"}
BANNERS = {
    "maps": "Simulated galaxies whose stars and dust are known. Nothing on this page is a measurement of the sky, and "
    "no score is comparable with a published one on other galaxies.",
    "field": "Simulated fields of matter. Nothing on this page is a measurement of the sky.",
    "parameters": "Simulated fields of matter of known parameters. Nothing on this page is a measurement of the sky.",
}
WHAT = {
    "pixelwise": "pixelwise is gradient boosting on the magnitudes and colours of each pixel alone",
    "wiener": "wiener is the Wiener filter with the mean and the power spectrum of the training fields",
    "power_ridge": "power_ridge is ridge regression on the power spectrum",
}


def map_report(results, out_dir, progress=True):
    """Write the report.

    Parameters
    ----------
    results : MapResults
    out_dir : path-like
    progress : bool

    Returns
    -------
    Path
        The page, `report.html`; beside it the figures and `scores.md`.

    Raises
    ------
    ValueError
        If the results are of different images, or too many; see `MapResults.check`.
    """
    results.check()
    out_dir, answer = Path(out_dir), results.answer
    out_dir.mkdir(parents=True, exist_ok=True)
    write_text(answers_markdown(results.scores) + "\n", out_dir / "scores.md")
    figures = {"maps": _of_maps, "field": _of_fields, "parameters": _of_parameters}[answer](results)
    shown = {"maps": ("image_median", "pixels"), "field": ("images", "spectra"), "parameters": ("scatter", "spectra")}
    entries = [*_score_entries(results), *figures, *provenance_entries(results)]
    return write_page(
        entries,
        out_dir,
        title=f"{HEADINGS[answer]}: {' and '.join(results.scores)}",
        banner=BANNERS[answer],
        is_real=False,
        overview=_overview(results, shown[answer]),
        footer="Written by blend report on {date}. " + made_from(*results.metas.values()),
        progress=progress,
    )


def method_styles(scores):
    """Colour, dash and marker of each method by its name: networks first, baselines in black and grey."""
    styles = {True: iter(BASELINE_STYLES), False: iter(NETWORK_STYLES)}
    return {name: next(styles[part["model"] in BASELINES]) for name, part in scores.items()}


def _overview(results, figures):
    """First screen: how much of the variance each method explains."""
    first = next(iter(results.scores.values()))
    numbers = {
        f"{name}: explained variance, {method}": text_of(scores["scores"][name]["r2"])
        for name in first["scores"] for method, scores in results.scores.items()
    }  # fmt: skip
    parts = []
    for method, scores in results.scores.items():
        of_each = [f"{_percent(part['r2'])} of {name}" for name, part in scores["scores"].items()]
        of_each[0] = of_each[0].replace(" of ", " of the variance of ", 1)
        parts.append(f"{method} explains {', '.join(of_each)}")
    note = f"{_size(results)} ({DATA_NAMES[first['data']]})." if results.answer == "maps" else f"{_size(results)}."
    return Overview(f"{'; '.join(parts)}.", numbers, note, figures)


def _score_entries(results):
    """The table of all scores, and what the baselines are."""
    first = next(iter(results.scores.values()))
    caption = f"Table 1. {first['dataset']}: {_size(results)}. " + _unit_note(results.answer)
    yield Entry("Scores", html=html.table(("score", *results.scores), answers_rows(results.scores), caption))
    known = [WHAT[part["model"]] for part in results.scores.values() if part["model"] in WHAT]
    if known:
        yield Entry("Scores", caption=f"Of the columns, {'; '.join(known)}.")
    if results.note:
        yield Entry("Scores", caption=f"No baseline is beside them: {results.note}.")


def _of_maps(results):
    """Galaxies with their maps, and pixels against true ones."""
    truth, title, first = results.truth, TITLES["maps"], next(iter(results.values))

    def draw(role, row):
        methods = {name: maps[row] for name, maps in results.values.items()}
        return galaxy_maps(truth.images[row], results.sigma, truth.values[row], truth.inside[row], methods,
                           truth.names, f"{title}: the {role} galaxy of {first}")  # fmt: skip

    for role, row in choose_images(results).items():
        caption = (
            f"{title}: the {role} galaxy of {first}, by the mean square error of its pixels in units of their scatter. "
            "Left, the image in i, r, g; above, the true maps; below, what each method gives. Colours of a column are "
            "those of the truth; pixels that do not count are white."
        )
        yield Entry("Galaxies", f"image_{role}", caption, lambda role=role, row=row: draw(role, row))
    yield Entry("Pixels", "pixels",
                f"{title}: pixels of all maps against true ones, {_images(results)}; the darker, the more "
                "(logarithmic). On the line they are equal.",
                lambda: pixel_planes(truth.values, truth.inside, results.values, truth.names, title))  # fmt: skip


def _of_fields(results):
    """Fields with their restorations, spectra, and pixels against true ones."""
    truth, title, first = results.truth, TITLES["field"], next(iter(results.values))
    rows = choose_images(results)

    def draw():
        examples = {role: (truth.values[row, ..., 0], truth.images[row]) for role, row in rows.items()}
        methods = {name: [maps[row, ..., 0] for row in rows.values()] for name, maps in results.values.items()}
        return restored_fields(examples, methods, title)

    fields = {name: maps[..., 0] for name, maps in results.values.items()}
    yield Entry("Fields", "images",
                f"{title}: the best, the median and the worst field of {first}, by the mean square error. From left to "
                "right the truth, what is observed, with holes in grey, what each method makes of it, and the errors, "
                "in the same steps of colour.", draw)  # fmt: skip
    yield Entry("Scales", "spectra",
                f"{title}: power spectra, {_images(results)}. Left, mean power of true and restored fields; middle, "
                "their correlation, 1 where phases are right; right, the ratio of amplitudes, 1 where nothing is lost. "
                "Shaded, 95 % intervals over fields.",
                lambda: spectra_by_scale(truth.values[..., 0], fields, results.scores, method_styles(results.scores),
                                         title))  # fmt: skip
    yield Entry("Pixels", "pixels",
                f"{title}: pixels of restored fields against true ones, {_images(results)}; the darker, the more "
                "(logarithmic). On the line they are equal.",
                lambda: pixel_planes(truth.values, truth.inside, results.values, truth.names, title))  # fmt: skip


def _of_parameters(results):
    """Parameters against true ones, their errors, and the power spectra from which baselines tell them."""
    truth, title, styles = results.truth, TITLES["parameters"], method_styles(results.scores)
    arguments = truth.values, results.values, truth.names, styles, title
    yield Entry("Parameters", "scatter",
                f"{title}: estimated against true parameters with errors of one sigma, at most 300 of "
                f"{_images(results)}. On the line they are equal.", lambda: parameter_scatter(*arguments))  # fmt: skip
    yield Entry("Errors", "pulls",
                f"{title}: errors in units of the stated standard deviations, {_images(results)}; grey, the Gaussian "
                "that right ones follow. Those beyond 4 are in the outermost bins.",
                lambda: pull_distributions(*arguments))  # fmt: skip
    yield Entry("Power spectra", "spectra",
                f"{title}: power spectra of fields with low, middle and high parameters over the mean of all, "
                f"{_images(results)}. Shaded, 68 % of the fields.",
                lambda: spectra_of_parameters(truth.images[..., 0], truth.values, truth.names, title))  # fmt: skip


def _size(results):
    """Number of images, and what the intervals are over."""
    truth = results.truth
    over = "groups of them" if len(np.unique(truth.group_id)) < len(truth.obj_id) else "them"
    return f"{_images(results)}; 95 % intervals over {over}"


def _images(results):
    """Number of images in words."""
    noun = {"maps": "galaxy"}.get(results.answer, "field")
    return count(len(results.truth.obj_id), noun).replace("galaxys", "galaxies")


def _unit_note(answer):
    """Units of scatter and bias."""
    return {
        "maps": "Scatter and bias are in dex, of the dust in magnitudes.",
        "field": "Scatter and bias are of the natural logarithm of the field.",
        "parameters": "Errors and bias are in the unit of the parameter.",
    }[answer]


def _percent(score):
    """A score in per cent."""
    return "-" if score["value"] is None else f"{100 * score['value']:.0f} %"
