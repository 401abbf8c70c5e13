"""The report on sources found in images: figures as PNG and PDF, a table of all scores, and one HTML page.

Takes scores and a few images, and returns the path of the page. The sections follow the questions of a referee: how
good, how faint, how blended, whose light is whose, which classes are confused, what does it look like.
"""

from pathlib import Path

from photoz_morph.blend.report import text
from photoz_morph.blend.report.figures.confusion import confusion_matrices
from photoz_morph.blend.report.figures.curves import blendedness_curves, flux_curves, magnitude_curves
from photoz_morph.blend.report.figures.overlays import truth_overlay
from photoz_morph.blend.report.provenance import provenance_entries
from photoz_morph.blend.scores_table import scored_images, scores_markdown, scores_rows
from photoz_morph.report import html
from photoz_morph.report.page import Entry, write_page
from photoz_morph.report.style import write_text
from photoz_morph.report.text import made_from


def blend_report(results, out_dir, progress=True):
    """Write the report.

    Parameters
    ----------
    results : BlendResults
    out_dir : path-like
    progress : bool

    Returns
    -------
    Path
        The page, `report.html`; beside it the figures and `scores.md`.

    Raises
    ------
    ValueError
        If the results are of different images, or there are none; see `BlendResults.check`.
    """
    results.check()
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    write_text(scores_markdown(results.columns) + "\n", out_dir / "scores.md")
    title = text.TITLE[results.data]
    entries = [
        *_score_entries(results), *_figure_entries(results, title), *_example_entries(results, title),
        *provenance_entries(results),
    ]  # fmt: skip
    return write_page(
        entries,
        out_dir,
        title=f"Sources found in images: {' and '.join(results.networks) or 'sep'}",
        banner=text.BANNER[results.data],
        is_real=results.data == "real galaxies",
        overview=text.overview(results, ("magnitude", "fluxes")),
        footer="Written by blend report on {date}. " + made_from(*results.metas.values()),
        progress=progress,
    )


def _score_entries(results):
    """Sentences, and the table of all scores."""
    yield from (Entry("Scores", html=html.paragraph(sentence)) for sentence in text.comparisons(results))
    name, sizes = scored_images(results.columns)
    caption = f"Table 1. {name}: {sizes}. {text.TABLE_NOTE}"
    yield Entry("Scores", html=html.table(("score", *results.columns), scores_rows(results.columns), caption))
    if results.note:
        yield Entry("Scores", caption=f"No baseline is beside them: {results.note}.")


def _figure_entries(results, title):
    """Curves and confusion matrices."""
    first = next(iter(results.columns.values()))
    n = f"{first['n_images']:,} images with {first['n_targets']:,} targets"
    bars = "Bars are 95 % intervals over images."
    pure = (
        f"Detections count from the score up to which the purity is {first['purity']:g} (dotted), which each method "
        "has of its own and which is held fixed in the bars, but not in the intervals of Table 1"
    )
    columns = {metric: results.beside(metric) for metric in ("completeness", "flux_error", "source_iou")}
    bins = "From left to right lone sources to those lost in another, shaded where strongly blended"
    return [
        Entry("By magnitude", "magnitude",
              f"{title}: completeness of targets against true, purity against measured magnitude, {n}. "
              f"{pure}. {bars}",
              lambda: magnitude_curves(columns["completeness"], title)),
        Entry("By blendedness", "blendedness",
              f"{title}: completeness, purity and IoU of the pixels of sources against blendedness, {n}. {pure}; the "
              f"IoU is that of all targets, 0 of those not found. The purity is in the bin of the nearest target. "
              f"{bins}. {bars}",
              lambda: blendedness_curves(columns["completeness"], title)),
        Entry("Fluxes", "fluxes",
              f"{title}: relative errors of the fluxes in all bands against blendedness, {n}. Left with all targets, "
              f"of which those not found have an error of 1; middle and right with found ones alone. {bins}. {bars}",
              lambda: flux_curves(columns["flux_error"], title)),
        Entry("Classes", "confusion",
              f"{title}: fraction of the pixels of each true class (rows) that were found as each class, {n}. Below "
              "the names, the share of all pixels. Classes of sep are learnt by boosting from the measurements.",
              lambda: confusion_matrices(columns["source_iou"], title)),
    ]  # fmt: skip


def _example_entries(results, title):
    """An overlay for each example."""
    for example in results.examples:
        role, iou, name = example["role"], example["iou"], example["method"]
        caption = (
            f"{title}: the {role} image of {name}, by the mean IoU of the pixels of its targets, {iou:.2f}. Above, "
            "what is there; below, what was found. Left, the image in i, r, g with boxes, below only those of "
            "detections that count; middle, the pixels of each source, a found one with the colour of the true one "
            "that it overlaps best, grey without any; right, the classes of the pixels."
        )

        def draw(example=example, role=role, name=name):
            return truth_overlay(example, f"{title}: the {role} image of {name}")

        yield Entry("Images", f"image_{role}", caption, draw)
