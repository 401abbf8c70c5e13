"""Words of the report on sources found in images."""

from photoz_morph.report.page import Overview
from photoz_morph.report.text import with_interval

TITLE = {"simulated galaxies": "Simulated images with known truth", "real galaxies": "Real images"}
BANNER = {
    "simulated galaxies": "Simulated images of galaxies and stars with known truth. Nothing on this page is a "
    "measurement of the sky, and no score is comparable with a published one on other images.",
    "real galaxies": "Real images. Their truth is that of a catalogue.",
}
TABLE_NOTE = (
    "Settings of sep were chosen for each score on validation images, a column each. Completeness is at the lowest "
    "score of a detection at which the purity is that of the first row; errors of fluxes are of all targets, with an "
    "error of 1 for those not found, where it is not said that only found ones count."
)


def overview(results, figures):
    """First screen: what the first network, or else `sep`, finds, and the scores that matter of each method.

    Parameters
    ----------
    results : BlendResults
    figures : tuple of str
        Names of the entries shown.

    Returns
    -------
    Overview
    """
    rows = (
        ("completeness", ("completeness", "all"), "completeness"),
        ("completeness of strongly blended", ("completeness", "strongly_blended"), "completeness"),
        ("AP50 of boxes", ("ap50",), "ap50"),
        ("IoU of sources", ("source_iou", "all"), "source_iou"),
        ("median flux error", ("flux_error", "all", "of_all", "median_absolute"), "flux_error"),
    )
    numbers = {}
    for label, keys, metric in rows:
        for name, scores in results.beside(metric).items():
            numbers[f"{label}, {name}"] = _text(_score(scores, keys))
    first = next(iter(results.columns.values()))
    note = (
        f"{first['n_images']:,} images with {first['n_targets']:,} targets ({results.data}); completeness at purity "
        f"{first['purity']:g}; in brackets 95 % intervals over images."
    )
    return Overview(_verdict(results), numbers, note, figures)


def _verdict(results):
    """What the first method finds, in a sentence; a network beside `sep`."""
    scored = results.beside("completeness")
    (name, first), *others = scored.items()
    everything, strong = (_score(first, ("completeness", part)) for part in ("all", "strongly_blended"))
    where = f"{first['n_images']:,} images of {results.data}"
    verdict = (
        f"{name} finds {percent(everything)} of the targets on {where} at a purity of {first['purity']:g}, and "
        f"{percent(strong)} of the strongly blended ones"
    )
    baseline = [(other, part) for other, part in others if part["model"] == "sep"]
    if baseline and first["model"] != "sep":
        other, part = baseline[0]
        verdict += f"; {other} {percent(_score(part, ('completeness', 'all')))} and "
        verdict += percent(_score(part, ("completeness", "strongly_blended")))
    return f"{verdict}."


def comparisons(results):
    """Sentences on each network against the `sep` that was tuned for the score; without networks on `sep` alone.

    An interval that does not overlap the other's is called a difference; of overlapping ones nothing is said but that.
    """
    rows = (
        ("completeness", ("completeness", "all"), "completeness of targets", True),
        ("completeness", ("completeness", "strongly_blended"), "completeness of strongly blended targets", True),
        ("ap50", ("ap50",), "AP50 of boxes", True),
        ("source_iou", ("source_iou", "all"), "IoU of sources", True),
        ("source_iou", ("class_iou", "mean"), "mean IoU of classes", True),
        ("flux_error", ("flux_error", "all", "of_all", "median_absolute"), "median absolute flux error", False),
    )
    for name, scores in results.networks.items():
        better, worse, equal = [], [], []
        for metric, keys, label, is_more_better in rows:
            if metric not in results.baselines:
                continue
            own, other = _score(scores, keys), _score(results.baselines[metric], keys)
            if own["value"] is None or other["value"] is None:
                continue
            above, below = own["interval"][0] > other["interval"][1], own["interval"][1] < other["interval"][0]
            words = f"{label} {_text(own)} against {_text(other)}"
            won = above if is_more_better else below
            (better if won else worse if above or below else equal).append(words)
        for words, kinds in (("is better than sep in", better), ("is worse than sep in", worse),
                             ("has an interval that overlaps that of sep in", equal)):  # fmt: skip
            if kinds:
                yield f"{name} {words}: {'; '.join(kinds)}."


def _score(scores, keys):
    """A score by its keys."""
    for key in keys:
        scores = scores[key]
    return scores


def _text(score):
    """A score and its interval as text, where it has them."""
    if score["value"] is None:
        return "-"
    return with_interval(score) if score["interval"][0] is not None else f"{score['value']:.3f}"


def percent(score):
    """A fraction and its interval in per cent, as text."""
    if score["value"] is None:
        return "none"
    low, high = score["interval"]
    interval = f" ({100 * low:.0f} to {100 * high:.0f} %)" if low is not None else ""
    return f"{100 * score['value']:.0f} %{interval}"
