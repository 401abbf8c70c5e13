"""The report on galaxies taken out of blends: figures as PNG and PDF, a table of all scores, and one HTML page.

Takes scores and a few images, and returns the path of the page. Its questions: how wrong are fluxes, colours and
shapes, with how much light of neighbours, do the samples say how wrong, and what does it look like.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from photoz_morph.blend.report.figures.curves import deblending_curves
from photoz_morph.blend.report.figures.galaxies import blend_gallery, coverage_figure
from photoz_morph.blend.report.provenance import provenance_entries
from photoz_morph.blend.report.results import MAX_NETWORKS
from photoz_morph.blend.report.text import BANNER, TITLE, percent
from photoz_morph.blend.scores_table import deblended_images, deblending_markdown, deblending_rows
from photoz_morph.report import html
from photoz_morph.report.page import Entry, Overview, write_page
from photoz_morph.report.style import write_text
from photoz_morph.report.text import DATA_NAMES, made_from, with_interval

STRONG = 0.1  # blendedness of the examples, where there are enough
ROLES = ("best", "median", "worst")


@dataclass(frozen=True)
class DeblendingResults:
    """Contents of a report.

    Attributes
    ----------
    columns : dict of str to dict
        Scores from `deblending_scores.evaluate_deblended`, by the names that the page calls the methods: networks
        first, then `sep`, whose `model` is "sep".
    examples : list of dict
        Blends to show, as `figures.galaxies.blend_gallery` takes them; they are of the first method.
    metas : dict of str to dict
        Meta of the tables of all methods.
    configs : dict of str to str
        Text of the config of each run, by its name.
    note : str
        Why there is no baseline.
    """

    columns: dict
    examples: list
    metas: dict
    configs: dict = field(default_factory=dict)
    note: str = ""

    @property
    def networks(self):
        """Scores of all methods but `sep`."""
        return {name: scores for name, scores in self.columns.items() if scores["model"] != "sep"}

    def check(self):
        """Raise a ValueError if there is too much to report, or of different images."""
        if len(self.networks) > MAX_NETWORKS:
            raise ValueError(f"{len(self.networks)} predictions beside sep; report {MAX_NETWORKS} at most together")
        (first, scores), *others = self.columns.items()
        for name, part in others:
            for key in ("dataset", "data", "n_images"):
                if part[key] != scores[key]:
                    raise ValueError(
                        f"{name}: {key} is {part[key]}, that of {first} is {scores[key]}; report predictions of the "
                        "same images together"
                    )


def choose_blends(table):
    """The best, the median and the worst galaxy by the error of the flux in all bands, among strongly blended ones.

    Parameters
    ----------
    table : Table
        From `deblended.deblended_table`.

    Returns
    -------
    list of dict
        `role`, `row`, `error`, the relative error of the sum over bands, and `blendedness`. Where fewer than three are
        strongly blended, all galaxies are ranked.
    """
    true, flux = (np.asarray(table[name], float).sum(axis=1) for name in ("true_flux", "flux"))
    error = np.divide(flux - true, true, out=np.full(len(table), np.nan), where=true > 0)
    blendedness, known = np.asarray(table["blendedness"], float), np.isfinite(error)
    strong = known & (blendedness > STRONG)
    rows = np.flatnonzero(strong if strong.sum() >= len(ROLES) else known)
    rows = rows[np.argsort(np.abs(error[rows]), kind="stable")]
    chosen = dict.fromkeys((rows[0], rows[len(rows) // 2], rows[-1])) if len(rows) else {}
    return [
        {"role": role, "row": int(row), "error": float(error[row]), "blendedness": float(blendedness[row])}
        for role, row in zip(ROLES if len(chosen) == len(ROLES) else ROLES[::2], chosen)
    ]


def deblending_report(results, out_dir, progress=True):
    """Write the report.

    Parameters
    ----------
    results : DeblendingResults
    out_dir : path-like
    progress : bool

    Returns
    -------
    Path
        The page, `report.html`; beside it the figures and `scores.md`.

    Raises
    ------
    ValueError
        If the results are of different images, or too many; see `DeblendingResults.check`.
    """
    results.check()
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    write_text(deblending_markdown(results.columns) + "\n", out_dir / "scores.md")
    first = next(iter(results.columns.values()))
    data = DATA_NAMES[first["data"]]
    entries = [*_score_entries(results), *_figure_entries(results, TITLE[data]), *provenance_entries(results)]
    return write_page(
        entries,
        out_dir,
        title=f"Galaxies taken out of blends: {' and '.join(results.networks)}",
        banner=BANNER[data],
        is_real=data == "real galaxies",
        overview=_overview(results, data),
        footer="Written by blend report on {date}. " + made_from(*results.metas.values()),
        progress=progress,
    )


def _score_entries(results):
    """The table of all scores."""
    name, sizes = deblended_images(results.columns)
    note = (
        "A galaxy that was not found, or taken for its neighbour, has an error of 1 of its flux where it is not said "
        "that only found ones count; fluxes are sums over the pixels of the image."
    )
    caption = f"Table 1. {name}: {sizes}. {note}"
    yield Entry("Scores", html=html.table(("score", *results.columns), deblending_rows(results.columns), caption))
    if results.note:
        yield Entry("Scores", caption=f"No baseline is beside them: {results.note}.")


def _figure_entries(results, title):
    """Curves, coverage and examples."""
    n = f"{next(iter(results.columns.values()))['n_images']:,} blends"
    bars = "Bars are 95 % intervals over images"
    yield Entry(
        "By blendedness", "errors",
        f"{title}: errors of the galaxy in the middle against its blendedness, {n}: of its flux in each band, "
        "relative, 1 for a galaxy that was not found; of its colours; of its size and e1 by adaptive moments in i, "
        "which sep does not give here. From left to right isolated galaxies to those lost in another, shaded where "
        f"strongly blended. {bars}.",
        lambda: deblending_curves(results.columns, title),
    )  # fmt: skip
    drawn = {name: scores for name, scores in results.columns.items() if "coverage" in scores}
    if drawn:
        yield Entry(
            "Samples", "coverage",
            f"{title}: part of the true fluxes (left), and of the true pixels where the network sees light (right), "
            f"within the central intervals of the samples, against the part that they state, {n}. Below the dotted "
            f"line samples are too alike, above it too different. {bars}.",
            lambda: coverage_figure(drawn, title),
        )  # fmt: skip
    if results.examples:
        name = next(iter(results.columns))
        samples = results.examples[0]["samples"] is not None
        yield Entry(
            "Blends", "blends",
            f"{title}: the galaxy with the least, the median and the largest error of the flux by {name}, of the "
            "strongly blended ones where there are enough. Colours are i, r, g with one stretch in all panels; the "
            f"difference from the truth{', and the standard deviation of the samples,' if samples else ''} is that of "
            "the sum over bands, in units of its noise.",
            lambda: blend_gallery(results.examples, f"{title}: {name}"),
        )  # fmt: skip


def _overview(results, data):
    """First screen: what the first method makes of strongly blended galaxies, and the scores that matter of each."""
    rows = (
        ("median flux error", ("flux_error", "all", "of_all", "median_absolute")),
        ("of strongly blended", ("flux_error", "strongly_blended", "of_all", "median_absolute")),
        ("median colour error [mag]", ("colour_error", "all", "median_absolute")),
        ("median error of the size", ("shape_error", "size", "all", "median_absolute")),
    )
    numbers = {}
    for label, keys in rows:
        for name, scores in results.columns.items():
            score = _score(scores, keys)
            if score["value"] is not None:
                known = score["interval"][0] is not None
                numbers[f"{label}, {name}"] = with_interval(score) if known else f"{score['value']:.3f}"
    (name, first), *others = results.columns.items()

    def errors(scores):
        return [percent(_score(scores, ("flux_error", part, "of_all", "median_absolute")))
                for part in ("all", "strongly_blended")]  # fmt: skip

    everything, strong = errors(first)
    verdict = (
        f"The fluxes that {name} gives {first['n_images']:,} {data} in the middle of blends have a median error of "
        f"{everything}, of strongly blended ones {strong}"
    )
    for other, part in others:
        if part["model"] == "sep":
            verdict += f"; those of {other} {' and '.join(errors(part))}"
    note = f"{first['n_images']:,} images ({data}); in brackets 95 % intervals over images."
    return Overview(f"{verdict}.", numbers, note, ("errors", "blends"))


def _score(scores, keys):
    """A score by its keys."""
    for key in keys:
        scores = scores[key]
    return scores
