"""Scores of detections: average precision by the COCO protocol, completeness and purity.

A detection has a score. Within an image detections take truths greedily, the best score first, so that whether one is
true does not depend on those below it: images are matched once (`match_images`), and every score at every threshold,
and in every bootstrap resample of the images, is a weighted sum over detections and truths.

Boxes are (y0, x0, y1, x1) of pixel edges, and positions (y, x) are 0 at the centre of the first pixel.
"""

from dataclasses import dataclass

import numpy as np

COCO_THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of the IoU; Lin et al. (2014) and pycocotools, `Params.setDetParams`
COCO_RECALLS = np.linspace(0, 1, 101)  # at which the precision is read off; likewise
COCO_DETECTIONS = 100  # an image; likewise


@dataclass(frozen=True)
class Matches:
    """Detections of some images and the truths they were matched with, at n_t thresholds.

    Attributes
    ----------
    thresholds : ndarray, shape (n_t,)
    score, image : ndarray, shape (n,)
        Of the detections, with the number of their image; by image, each from the highest score to the lowest.
    row : ndarray of int, shape (n,)
        Of a detection in the table of its image.
    truth : ndarray of int, shape (n_t, n)
        Truth that a detection took, as a row of all images' truths in order; -1 for none.
    is_ignored : ndarray of bool, shape (n_t, n)
        Whether that truth is no target: the detection is then neither true nor false.
    truth_image, truth_row, is_target : ndarray, shape (n_truth,)
        Of the truths that were matched, by image, with the row in the table of their image.
    found_at : ndarray, shape (n_t, n_truth)
        Score of the detection that took a truth, -inf for none: it is found at every score threshold up to that.
    n_images : int
    """

    thresholds: np.ndarray
    score: np.ndarray
    image: np.ndarray
    row: np.ndarray
    truth: np.ndarray
    is_ignored: np.ndarray
    truth_image: np.ndarray
    truth_row: np.ndarray
    is_target: np.ndarray
    found_at: np.ndarray
    n_images: int

    @property
    def is_true(self):
        """Whether a detection took a target, shape (n_t, n)."""
        return (self.truth >= 0) & ~self.is_ignored


def box_area(boxes):
    """Areas [pixel^2] of boxes, shape (..., 4)."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def box_overlap(boxes, truths, is_region=None):
    """Intersection over union of boxes.

    Parameters
    ----------
    boxes, truths : ndarray, shapes (n, 4) and (m, 4)
    is_region : ndarray of bool, shape (m,), optional
        Truths of which a part of any size may be taken, as COCO's crowds: their overlap is the intersection over the
        area of the box.

    Returns
    -------
    ndarray, shape (n, m)
    """
    boxes, truths = (np.asarray(part, float).reshape(-1, 4) for part in (boxes, truths))
    low = np.maximum(boxes[:, None, :2], truths[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], truths[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=-1)
    area = np.broadcast_to(box_area(boxes)[:, None], both.shape)
    union = area + box_area(truths) - both
    if is_region is not None:
        union = np.where(is_region, area, union)
    return np.divide(both, union, out=np.zeros(both.shape), where=union > 0)


def match_one_image(overlap, thresholds, is_target, is_region=None):
    """Give each detection of an image the truth that it overlaps most of those not yet taken.

    Parameters
    ----------
    overlap : ndarray, shape (n, m)
        From the detection of the highest score to that of the lowest: IoU of boxes, or minus distances.
    thresholds : ndarray, shape (n_t,)
        Overlap that is needed.
    is_target : ndarray of bool, shape (m,)
        Truths that are no targets are taken only by a detection that can have no target.
    is_region : ndarray of bool, shape (m,), optional
        Those of them that several detections can take.

    Returns
    -------
    ndarray of int, shape (n_t, n)
        Number of the truth, -1 for none.

    Notes
    -----
    `COCOeval.evaluateImg` of pycocotools; as there, the last of equal overlaps is taken.
    """
    n, m = overlap.shape
    is_region = np.zeros(m, bool) if is_region is None else is_region
    found = np.full((len(thresholds), n), -1)
    kinds = [np.flatnonzero(is_target)[::-1], np.flatnonzero(~is_target)[::-1]]  # argmax takes the first of equals
    for level, threshold in enumerate(thresholds):
        # As in pycocotools, so that boxes which are equal but for rounding pass the threshold 1.
        needed, free = min(threshold, 1 - 1e-10), np.ones(m, bool)
        for detection in range(n):
            for kind in kinds:
                candidates = kind[free[kind]]
                if not len(candidates):
                    continue
                best = candidates[overlap[detection, candidates].argmax()]
                if overlap[detection, best] >= needed:
                    found[level, detection] = best
                    free[best] = is_region[best]
                    break
    return found


def match_images(detections, truths, thresholds=COCO_THRESHOLDS, by="box", label=None, max_detections=None):
    """Match the detections of images with their truths.

    Parameters
    ----------
    detections : list of mapping
        Of each image the columns `score`, shape (n,), and `box`, shape (n, 4), or `y` and `x` [pixel]; `kind` if a
        label is given. Tables and dicts of arrays both are such mappings.
    truths : list of mapping
        Of each image `box`, or `y` and `x`; `is_target` (by default all are); `kind`. With the column `is_region`,
        the box of a row that is one is a part of the image where nothing counts as false, of whatever class.
    thresholds : sequence of float
        Least IoU, or with `by="position"` largest distances [pixel].
    by : {"box", "position"}
    label : int, optional
        Class whose detections and truths alone are matched; by default classes are not looked at.
    max_detections : int, optional
        Detections of the highest scores that an image may have; `COCO_DETECTIONS` is usual for boxes.

    Returns
    -------
    Matches

    Raises
    ------
    ValueError
        If the lists are empty or have different lengths, a score is NaN, or `by` is unknown.
    """
    if not len(truths):
        raise ValueError("no image is given; detections are matched image by image")
    if len(detections) != len(truths):
        raise ValueError(f"{len(detections)} images with detections but {len(truths)} with truths; give the same")
    if by not in ("box", "position"):
        raise ValueError(f"by is {by!r}, needs to be 'box' or 'position'")
    thresholds = np.atleast_1d(np.asarray(thresholds, float))
    names = ("score", "image", "row", "truth", "truth_image", "truth_row", "is_target", "found_at")
    parts = {name: [] for name in names}
    n_before = 0
    for image, (detected, truth) in enumerate(zip(detections, truths)):
        known, is_target, is_region = _of_class(truth, label)
        score = np.asarray(detected["score"], float)
        if np.isnan(score).any():
            raise ValueError(f"image {image}: {np.isnan(score).sum()} of {len(score)} scores are NaN; leave them out")
        rows = np.arange(len(score)) if label is None else np.flatnonzero(np.asarray(detected["kind"]) == label)
        rows = rows[np.argsort(-score[rows], kind="stable")][:max_detections]
        if by == "box":
            boxes = np.asarray(truth["box"], float).reshape(-1, 4)[known]
            overlap = box_overlap(np.asarray(detected["box"], float).reshape(-1, 4)[rows], boxes, is_region)
            needed = thresholds
        else:
            overlap, needed = -_distances(detected, truth)[np.ix_(rows, known)], -thresholds
        found = match_one_image(overlap, needed, is_target, is_region)
        found_at = np.full((len(thresholds), len(known)), -np.inf)
        level, taker = np.nonzero(found >= 0)
        # Of the detections in a region the best; every other truth has one.
        np.maximum.at(found_at, (level, found[level, taker]), score[rows][taker])
        parts["score"].append(score[rows])
        parts["image"].append(np.full(len(rows), image))
        parts["row"].append(rows)
        parts["truth"].append(np.where(found >= 0, found + n_before, -1))
        parts["truth_image"].append(np.full(len(known), image))
        parts["truth_row"].append(known)
        parts["is_target"].append(is_target)
        parts["found_at"].append(found_at)
        n_before += len(known)
    joined = {name: np.concatenate(arrays, axis=-1) for name, arrays in parts.items()}
    is_ignored = (joined["truth"] >= 0) & ~np.append(joined["is_target"], True)[joined["truth"]]
    return Matches(thresholds, is_ignored=is_ignored, n_images=len(truths), **joined)


def _of_class(truth, label):
    """Rows of the truths of a class and of regions, and whether each is a target and a region."""
    names = truth.keys()
    n = len(truth["y"] if "y" in names else truth["box"])
    is_region = np.asarray(truth["is_region"], bool) if "is_region" in names else np.zeros(n, bool)
    is_target = np.asarray(truth["is_target"], bool) if "is_target" in names else np.ones(n, bool)
    is_known = np.ones(n, bool) if label is None else (np.asarray(truth["kind"]) == label) | is_region
    rows = np.flatnonzero(is_known)
    return rows, (is_target & ~is_region)[rows], is_region[rows]


def _distances(detected, truth):
    """Distances [pixel] of detections and truths, shape (n, m)."""
    y, x = (np.subtract.outer(np.asarray(detected[axis], float), np.asarray(truth[axis], float)) for axis in "yx")
    return np.hypot(y, x)


def average_precision(matches, weights=None):
    """Average precision at each threshold; its mean over `COCO_THRESHOLDS` is COCO's AP.

    Parameters
    ----------
    matches : Matches
    weights : ndarray, shape (n_images,) or (k, n_images), optional
        How often an image is in a sample, such as `group_errors.group_weights` of the images' numbers.

    Returns
    -------
    ndarray, shape (n_t,) or (k, n_t)
        NaN where there is no target.

    Notes
    -----
    Lin et al. (2014): the largest precision at recalls of at least 0, 0.01, ... 1, 0 for those that are not reached.
    """
    return _over_samples(matches, weights, lambda recall, precision: _read_off(recall, precision, COCO_RECALLS).mean())


def precision_at_recall(matches, recall=0.8, weights=None):
    """Largest precision at a recall of at least `recall`, 0 if it is not reached; arguments as `average_precision`.

    Burke et al. (2019) quote it for stars and galaxies at 0.8.
    """
    return _over_samples(matches, weights, lambda known, precision: _read_off(known, precision, [recall])[0])


def _over_samples(matches, weights, function):
    """A function of recall and precision for each sample and threshold."""
    order = np.argsort(-matches.score, kind="stable")
    true = matches.is_true[:, order]
    false = ~true & ~matches.is_ignored[:, order]
    samples = np.ones((1, matches.n_images)) if weights is None else np.atleast_2d(np.asarray(weights, float))
    n_targets = np.bincount(matches.truth_image[matches.is_target], minlength=matches.n_images)
    values = np.full((len(samples), len(true)), np.nan)
    for row, weight in enumerate(samples):
        n, each = weight @ n_targets, weight[matches.image[order]]
        if n == 0:
            continue
        for level in range(len(true)):
            n_true, n_false = np.cumsum(each * true[level]), np.cumsum(each * false[level])
            values[row, level] = function(n_true / n, n_true / (n_true + n_false + np.spacing(1)))
    return values[0] if weights is None or np.ndim(weights) == 1 else values


def _read_off(recall, precision, at):
    """Largest precision of all recalls of at least some values, 0 beyond the largest."""
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return envelope[np.searchsorted(recall, at, side="left")]
