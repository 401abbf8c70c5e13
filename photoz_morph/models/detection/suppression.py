"""Non-maximum suppression of a batch of images, with outputs of fixed size."""

import numpy as np
from keras import ops

from photoz_morph.models.detection.boxes import iou


def suppress(boxes, scores, max_detections, max_iou=0.5, classes=None, min_score=0.0):
    """The best boxes, without those that overlap a better one of their image.

    Parameters
    ----------
    boxes : tensor, shape (n, n_boxes, 4)
    scores : tensor, shape (n, n_boxes)
    max_detections : int
        Rows of the result.
    max_iou : float
        Boxes that overlap more than this are taken for the same source.
    classes : int tensor, shape (n, n_boxes), optional
        With these only boxes of one class suppress each other.
    min_score : float
        Boxes must have more.

    Returns
    -------
    dict of str to tensor
        `boxes` (n, max_detections, 4), `scores` and `is_valid` (n, max_detections), best first, and `index`, the rows
        that they had. Where there are too few, the last rows are zeros.

    Notes
    -----
    The greedy rule "a box is kept unless it overlaps a better box that is kept" has one solution. Its statements are
    evaluated for all boxes at once until nothing changes, which takes as many passes as the longest chain of boxes
    that each depend on the one before, not as many as there are boxes.
    """
    n_boxes = scores.shape[1]
    scores, order = ops.top_k(scores, n_boxes)
    boxes = ops.take_along_axis(boxes, order[..., None], axis=1)
    overlaps = ops.logical_and(iou(boxes, boxes) > max_iou, np.tri(n_boxes, k=-1, dtype=bool))  # (n, box, better box)
    if classes is not None:
        classes = ops.take_along_axis(classes, order, axis=1)
        overlaps = ops.logical_and(overlaps, classes[:, :, None] == classes[:, None])
    is_candidate = scores > min_score

    def one_pass(is_kept, _):
        is_lost = ops.any(ops.logical_and(overlaps, is_kept[:, None]), axis=-1)
        now = ops.logical_and(is_candidate, ops.logical_not(is_lost))
        return now, ops.any(now != is_kept)

    is_kept, _ = ops.while_loop(lambda _, has_changed: has_changed, one_pass, one_pass(is_candidate, None))
    return _first_kept(boxes, scores, order, is_kept, max_detections)


def _first_kept(boxes, scores, order, is_kept, n):
    """The first n of the boxes that are kept, filled up with zeros; all are sorted."""
    missing = n - scores.shape[1]
    if missing > 0:
        boxes = ops.pad(boxes, ((0, 0), (0, missing), (0, 0)))
        scores, order, is_kept = (ops.pad(values, ((0, 0), (0, missing))) for values in (scores, order, is_kept))
    _, first = ops.top_k(ops.cast(is_kept, "float32"), n)  # equal values keep their order
    is_valid = ops.take_along_axis(is_kept, first, axis=1)
    scores, order = (ops.take_along_axis(values, first, axis=1) for values in (scores, order))
    boxes = ops.take_along_axis(boxes, first[..., None], axis=1)
    return {
        "boxes": ops.where(is_valid[..., None], boxes, 0.0),
        "scores": ops.where(is_valid, scores, 0.0),
        "index": ops.where(is_valid, order, 0),
        "is_valid": is_valid,
    }
