"""What the report on sources found in images shows."""

from dataclasses import dataclass, field

import numpy as np

from photoz_morph.blend.report.style import NETWORK_STYLES
from photoz_morph.metrics.detection import match_images
from photoz_morph.metrics.segmentation import source_pixels
from photoz_morph.report.text import DATA_NAMES

MAX_NETWORKS = len(NETWORK_STYLES)
MIN_TARGETS = 5  # our choice: of an image that is shown as the best or the worst
METRIC_NAMES = {"ap50": "AP50", "source_iou": "IoU", "flux_error": "fluxes"}  # of those not called by their own
ROLES = ("best", "median", "worst")


@dataclass(frozen=True)
class BlendResults:
    """Contents of a report.

    Attributes
    ----------
    networks : dict of str to dict
        Scores from `evaluation.evaluate_blend`, by the name of a run or a file of predictions.
    baselines : dict of str to dict
        Scores of `sep`, by the metric that its settings were chosen for.
    examples : list of dict
        Images to show, from `choose_examples`.
    metas : dict of str to dict
        Meta of the tables of predictions of all of them, by the names of `columns`.
    configs : dict of str to str
        Text of the config of each run, by its name.
    note : str
        Why there is no baseline.
    """

    networks: dict
    baselines: dict
    examples: list
    metas: dict
    configs: dict = field(default_factory=dict)
    note: str = ""

    @property
    def columns(self):
        """Scores of all methods, by the names that the page calls them: networks, then `sep` for each metric."""
        return self.networks | {sep_name(metric): part for metric, part in self.baselines.items()}

    @property
    def data(self):
        """What the images are of, in words."""
        return DATA_NAMES[next(iter(self.columns.values()))["data"]]

    def beside(self, metric):
        """Networks and the `sep` that was tuned for a metric, or for the first there is; as `columns`."""
        chosen = metric if metric in self.baselines else next(iter(self.baselines), None)
        return self.networks | ({sep_name(chosen): self.baselines[chosen]} if chosen else {})

    def check(self):
        """Raise a ValueError if there is nothing to report, too much, or of different images."""
        if not self.columns:
            raise ValueError("no predictions to report; `blend baseline DATASET` makes those of sep")
        if len(self.networks) > MAX_NETWORKS:
            raise ValueError(f"{len(self.networks)} predictions beside sep; report {MAX_NETWORKS} at most together")
        (first, scores), *others = self.columns.items()
        for name, part in others:
            for key in ("dataset", "data", "n_images", "n_targets", "purity", "radius"):
                if part[key] != scores[key]:
                    raise ValueError(
                        f"{name}: {key} is {part[key]}, that of {first} is {scores[key]}; report predictions of the "
                        "same images together"
                    )


def sep_name(metric):
    """How the page calls `sep` with the settings for a metric."""
    return f"sep for {METRIC_NAMES.get(metric, metric)}"


def choose_examples(predictions, scenes, threshold, radius):
    """The best, the median and the worst image by the mean IoU of the pixels of its targets.

    Parameters
    ----------
    predictions : BlendPredictions
    scenes : sequence of Scene
        The same images with their truth, in any order.
    threshold : float or None
        Lowest score of a detection that counts; None if no threshold is pure enough.
    radius : float
        Largest distance of a detection from its source [pixel].

    Returns
    -------
    list of dict
        `role`, `iou`, and what `figures.overlays.truth_overlay` takes; images of fewer than `MIN_TARGETS` targets are
        left out where others have more, and no image is there twice.
    """
    places = {int(obj_id): row for row, obj_id in enumerate(predictions.images["obj_id"])}
    tables = predictions.of_images()
    iou, n_targets = np.full(len(scenes), np.nan), np.zeros(len(scenes), int)
    for number, scene in enumerate(scenes):
        target = np.asarray(scene.truth["is_target"], bool)
        of_sources, _ = source_pixels(scene.instances, predictions.segmentation[places[scene.obj_id]], len(target))
        known = target & np.isfinite(of_sources)
        n_targets[number] = known.sum()
        iou[number] = of_sources[known].mean() if known.any() else np.nan
    enough = np.flatnonzero(n_targets >= min(MIN_TARGETS, n_targets.max()))
    ranked = enough[np.argsort(-iou[enough], kind="stable")]
    chosen = dict.fromkeys((ranked[0], ranked[len(ranked) // 2], ranked[-1]))
    examples = []
    for role, number in zip(ROLES if len(chosen) == len(ROLES) else ROLES[::2], chosen):
        scene, row = scenes[number], places[scenes[number].obj_id]
        found, truth = tables[row], scene.truth
        matches = match_images([found], [truth], [radius], by="position")
        matched = np.full(len(found), -1)
        taken = matches.truth[0] >= 0
        matched[matches.row[taken]] = matches.truth_row[matches.truth[0][taken]]
        examples.append({
            "role": role, "iou": float(iou[number]), "scene": scene, "found": found, "matched": matched,
            "segmentation": predictions.segmentation[row], "threshold": np.inf if threshold is None else threshold,
        })  # fmt: skip
    return examples
