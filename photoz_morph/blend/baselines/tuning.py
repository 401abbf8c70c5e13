"""The settings of `sep` that do best on validation images, for one metric.

A network is trained for what it is scored on, so the baseline is tuned for each score too: random settings first, then
one setting after another is moved as long as that helps. The same seed gives the same settings.
"""

from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.blend.baselines.detection import CHOICES, SepSettings, detect
from photoz_morph.blend.baselines.photometry import measure
from photoz_morph.metrics.completeness import column_of, completeness_at_purity
from photoz_morph.metrics.deblending import flux_errors
from photoz_morph.metrics.detection import COCO_DETECTIONS, average_precision, match_images
from photoz_morph.metrics.segmentation import source_pixels

# Setting -> values to choose from, or the ends of a range of which logarithms are drawn; our choices, around the
# defaults of SExtractor.
RANGES = {"threshold": (0.5, 8.0), "deblend_cont": (1e-5, 0.2), "box_radii": (1.5, 5.0)}
LISTS = {
    "minarea": (1, 2, 3, 5, 8, 12, 20),
    "deblend_nthresh": (8, 16, 32, 64),
    "filter_fwhm": (0.0, 2.0, 3.0, 4.0, 5.0, 7.0),
    **{name: CHOICES[name] for name in ("combine", "box", "rank", "mask_type")},
}
DETECTION = ("threshold", "minarea", "deblend_nthresh", "deblend_cont", "filter_fwhm", "combine")
# Metric -> the settings that it depends on.
METRICS = {
    "completeness": (*DETECTION, "rank"),
    "ap50": (*DETECTION, "rank", "box", "box_radii"),
    "source_iou": DETECTION,
    "flux_error": (*DETECTION, "mask_type"),
}
# Differences from the purity of the completeness. At one purity alone a few false detections of a bright galaxy decide:
# where 0.949 is the best that settings reach they would find next to nothing. Our choice.
PURITIES = (-0.05, -0.025, 0.0, 0.025)
STEPS = (2.0, 1.2)  # factors by which a setting is moved, first far, then near


@dataclass(frozen=True)
class Tuned:
    """Result of `tune`.

    Attributes
    ----------
    settings : SepSettings
    value : float
        Of the metric, on the validation images.
    trials : Table
        All settings tried, with their `value`, in the order of the search; the first are SExtractor's defaults.
    """

    settings: SepSettings
    value: float
    trials: Table


def tune(scenes, metric, n_trials=60, seed=0, purity=0.95, radius=4.0, start=SepSettings(), progress=True):
    """Find the settings that do best on some scenes.

    Parameters
    ----------
    scenes : sequence of Scene
        Validation images with their truth: `y`, `x`, `is_target` and what the metric needs.
    metric : {"completeness", "ap50", "source_iou", "flux_error"}
        Of targets: the fraction found at the lowest score that has the purity `purity`, as mean over purities about it;
        average precision at an IoU of boxes of 0.5; mean IoU of the pixels of sources with `instances`; median absolute
        relative error of `flux_in_image` in all bands, for which a source that is not found has flux 0, and less is
        better.
    n_trials : int
        Random settings before the search one by one; more of them begin with the same.
    seed : int
    purity : float
    radius : float
        Largest distance of a detection from its source [pixel].
    start : SepSettings
        First settings, of which those that the metric does not depend on are kept.
    progress : bool

    Returns
    -------
    Tuned

    Raises
    ------
    ValueError
        If the metric is unknown, there is no scene, or one has no truth.
    """
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}, needs to be one of {', '.join(METRICS)}")
    if not len(scenes):
        raise ValueError("no scene to tune on; give validation images")
    for scene in scenes:
        if scene.truth is None or (metric == "source_iou" and scene.instances is None):
            raise ValueError(f"{scene.name}: its truth is not known, so {metric} cannot be tuned on it; leave it out")
    values = {}
    with tqdm(desc=f"tune {metric}", unit=" trials", disable=not progress) as bar:

        def value_of(settings):
            if settings not in values:
                values[settings] = score_settings(scenes, settings, metric, purity, radius)
                bar.update()
            return values[settings]

        for settings in (start, *_drawn(metric, n_trials, seed, start)):
            value_of(settings)
        _search(metric, value_of, _best(metric, values))
    best = _best(metric, values)
    trials = Table([vars(settings) | {"value": value} for settings, value in values.items()])
    return Tuned(best, values[best], trials)


def score_settings(scenes, settings, metric, purity=0.95, radius=4.0):
    """Value of a metric with some settings; arguments as for `tune`."""
    truths, tables, segmentations = [scene.truth for scene in scenes], [], []
    for scene in scenes:
        sources, segmentation = detect(scene.image, scene.sigma, settings)
        if metric == "flux_error":
            sources = measure(scene.image, scene.sigma, sources, segmentation, settings)
        tables.append(sources)
        segmentations.append(segmentation)
    if metric == "source_iou":
        iou = [source_pixels(scene.instances, own, len(scene.truth))[0] for scene, own in zip(scenes, segmentations)]
        is_target = np.concatenate([np.asarray(truth["is_target"], bool) for truth in truths])
        return float(np.mean(np.concatenate(iou)[is_target]))
    if metric == "ap50":
        return float(average_precision(match_images(tables, truths, [0.5], max_detections=COCO_DETECTIONS))[0])
    matches = match_images(tables, truths, [radius], by="position")
    if metric == "completeness":
        return float(np.mean([completeness_at_purity(matches, purity + change) for change in PURITIES]))
    return float(np.median(np.abs(_flux_errors(matches, tables, truths))))


def _flux_errors(matches, tables, truths):
    """Relative errors of the fluxes of all targets, -1 for those not found; shape (n_targets, n_bands)."""
    true = column_of(truths, "flux_in_image", matches.truth_image, matches.truth_row).astype(float)
    measured = np.zeros_like(true)
    found = np.flatnonzero(matches.truth[0] >= 0)
    if len(found):
        fluxes = column_of(tables, "flux", matches.image[found], matches.row[found])
        measured[matches.truth[0][found]] = fluxes
    return flux_errors(true, measured)[matches.is_target]


def _best(metric, values):
    """Settings of the best value, the first of equal ones."""
    sign = -1 if metric == "flux_error" else 1
    return max(values, key=lambda settings: sign * values[settings])


def _drawn(metric, n_trials, seed, start):
    """Random settings, each from numbers of its own."""
    for trial in range(n_trials):
        rng, change = np.random.default_rng([seed, trial]), {}
        for name in METRICS[metric]:
            if name in RANGES:
                change[name] = float(np.exp(rng.uniform(*np.log(RANGES[name]))))
            else:
                change[name] = LISTS[name][rng.integers(len(LISTS[name]))]
        yield replace(start, **change)


def _search(metric, value_of, best):
    """Move one setting after another to a better value, until none helps any more; `value_of` keeps what it was."""
    sign = -1 if metric == "flux_error" else 1
    for step in STEPS:
        moved = True
        while moved:
            moved = False
            for name in METRICS[metric]:
                for settings in _neighbours(best, name, step):
                    if sign * value_of(settings) > sign * value_of(best):
                        best, moved = settings, True


def _neighbours(settings, name, step):
    """Settings with one of them moved to either side, or to each of the values it can have."""
    value = getattr(settings, name)
    if name in RANGES:
        low, high = RANGES[name]
        moved = [np.clip(value * factor, low, high) for factor in (1 / step, step)]
    elif name in CHOICES:
        moved = LISTS[name]
    else:
        place = LISTS[name].index(value) if value in LISTS[name] else 0
        moved = LISTS[name][max(place - 1, 0) : place + 2]
    kind = type(value)
    return [replace(settings, **{name: kind(other)}) for other in moved if other != value]
