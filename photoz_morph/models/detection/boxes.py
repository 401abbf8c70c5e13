"""Boxes: area, overlap, clipping, and offsets from one box to another."""

import math

from keras import ops

MAX_LOG_SIZE = math.log(1000 / 16)  # Detectron: no offset enlarges a box more than this
MIN_SIZE = 1e-3  # [pixel] of boxes in a logarithm or a division; padding has none


def areas(boxes):
    """Areas of boxes of shape (..., 4), 0 for those turned inside out, shape (...) [pixel^2]."""
    return ops.prod(ops.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)


def iou(boxes, others):
    """Intersection over union of all pairs.

    Parameters
    ----------
    boxes : tensor, shape (..., n, 4)
    others : tensor, shape (..., m, 4)

    Returns
    -------
    tensor, shape (..., n, m)
        0 where both are empty.
    """
    boxes, others = boxes[..., :, None, :], others[..., None, :, :]
    lower = ops.maximum(boxes[..., :2], others[..., :2])
    upper = ops.minimum(boxes[..., 2:], others[..., 2:])
    intersection = ops.prod(ops.maximum(upper - lower, 0.0), axis=-1)
    union = areas(boxes) + areas(others) - intersection
    return ops.where(union > 0, intersection / ops.where(union > 0, union, 1.0), 0.0)


def clipped(boxes, shape):
    """Parts of boxes that lie in an image.

    Parameters
    ----------
    boxes : tensor, shape (..., 4)
    shape : tuple of int or int tensor
        Rows and columns of the image.
    """
    size = ops.cast(ops.stack([shape[0], shape[1]] * 2), boxes.dtype)
    return ops.maximum(ops.minimum(boxes, size - 0.5), -0.5)


def encoded(boxes, anchors, scales=(1.0, 1.0)):
    """Offsets that lead from anchors to boxes.

    Parameters
    ----------
    boxes, anchors : tensor, shape (..., 4)
    scales : tuple of float
        Unit of the offsets of the centre and of those of the size; (0.1, 0.2) makes them of order one where the anchors
        are good (Detectron).

    Returns
    -------
    tensor, shape (..., 4)
        t_y, t_x, t_h, t_w.

    Notes
    -----
    Ren et al. (2015), Eq. 2: t_x = (x - x_a) / w_a and t_w = ln(w / w_a), with x the centre.
    """
    (centre, size), (anchor_centre, anchor_size) = _centres_and_sizes(boxes), _centres_and_sizes(anchors)
    shift = (centre - anchor_centre) / anchor_size
    return ops.concatenate([shift / scales[0], ops.log(size / anchor_size) / scales[1]], axis=-1)


def decoded(offsets, anchors, scales=(1.0, 1.0)):
    """Boxes that offsets lead to from anchors, the inverse of `encoded`."""
    centre, size = _centres_and_sizes(anchors)
    centre = centre + offsets[..., :2] * scales[0] * size
    half = ops.exp(ops.minimum(offsets[..., 2:] * scales[1], MAX_LOG_SIZE)) * size / 2
    return ops.concatenate([centre - half, centre + half], axis=-1)


def _centres_and_sizes(boxes):
    """Centres and sizes, y before x, both of shape (..., 2)."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2, ops.maximum(boxes[..., 2:] - boxes[..., :2], MIN_SIZE)
