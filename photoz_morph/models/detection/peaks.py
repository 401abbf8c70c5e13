"""Sources as peaks of a heat map (CenterNet: Zhou et al. 2019, arXiv 1904.07850): true maps, and peaks to detections.

A pixel at the centre of a source says how far the edges of its box are, up, left, down and right: CenterNet's size and
offset in one, as in FCOS (Tian et al. 2019, Eq. 1), since the box of a galaxy need not be centred on its peak.
"""

import math

from keras import ops

from photoz_morph.models.detection.suppression import suppress

MIN_IOU = 0.7  # CornerNet (Law & Deng 2018, code): of a box shifted by the radius with the true one
MIN_SIGMA = 0.5  # [pixel] our choice: the heat of a source of one pixel reaches its neighbours


def heat_map(centres, boxes, classes, shape, n_classes=1):
    """True heat map: a Gaussian at each source, 1 at its central pixel.

    Parameters
    ----------
    centres : tensor, shape (n, n_sources, 2)
        y, x [pixel].
    boxes : tensor, shape (n, n_sources, 4)
        They set the width of the Gaussians.
    classes : int tensor, shape (n, n_sources)
        From 1; 0 for rows that fill the array. With `n_classes` of 1 all sources are in one map.
    shape : tuple of int
        Rows and columns.
    n_classes : int

    Returns
    -------
    tensor, shape (n, rows, columns, n_classes)
        Where Gaussians overlap, the larger value.

    Notes
    -----
    Zhou et al. (2019), Sec. 3. Sigma is a third of the shift, the same in y and x, that leaves the box an IoU of 0.7.
    """
    centres, boxes = (ops.cast(values, "float32") for values in (centres, boxes))
    height, width = (boxes[..., axis + 2] - boxes[..., axis] for axis in (0, 1))
    sigma = ops.maximum(_allowed_shift(height, width) / 3, MIN_SIGMA)[..., None, None]
    squares = [
        ops.square(ops.arange(size, dtype="float32") - ops.round(centres[..., axis, None]))
        for axis, size in enumerate(shape)
    ]
    heat = ops.exp(-(squares[0][..., :, None] + squares[1][..., None, :]) / (2 * ops.square(sigma)))
    belongs = [classes > 0] if n_classes == 1 else [classes == number for number in range(1, n_classes + 1)]
    belongs = [ops.cast(of, "float32") for of in belongs]
    return ops.stack([ops.max(heat * of[..., None, None], axis=1) for of in belongs], axis=-1)


def edge_distances(centres, boxes, is_true, shape):
    """Distances from the central pixel of each source to the edges of its box.

    Parameters
    ----------
    centres : tensor, shape (n, n_sources, 2)
        y, x [pixel].
    boxes : tensor, shape (n, n_sources, 4)
    is_true : bool tensor, shape (n, n_sources)
    shape : tuple of int
        Rows and columns.

    Returns
    -------
    tensor, shape (n, rows, columns, 4)
        Up, left, down, right [pixel], NaN where there is no centre. If two sources have one central pixel, those of the
        first.
    """
    boxes, pixel = ops.cast(boxes, "float32"), ops.round(ops.cast(centres, "float32"))
    at = [ops.arange(size, dtype="float32") == pixel[..., axis, None] for axis, size in enumerate(shape)]
    is_centre = ops.logical_and(at[0][..., :, None], at[1][..., None, :])
    is_centre = ops.logical_and(is_centre, is_true[..., None, None])  # (n, n_sources, rows, columns)
    distances = ops.concatenate([pixel - boxes[..., :2], boxes[..., 2:] - pixel], axis=-1)
    first = ops.argmax(is_centre, axis=1)
    n, (rows, columns) = ops.shape(centres)[0], shape
    values = ops.take_along_axis(distances, ops.reshape(first, (n, rows * columns, 1)), axis=1)
    values = ops.reshape(values, (n, rows, columns, 4))
    return ops.where(ops.any(is_centre, axis=1)[..., None], values, math.nan)


def peaks_to_detections(heat, distances, max_detections=100, max_iou=1.0, min_score=0.0):
    """Detections at the local maximums of a heat map.

    Parameters
    ----------
    heat : tensor, shape (n, rows, columns, n_classes)
        Probabilities.
    distances : tensor, shape (n, rows, columns, 4)
        From each pixel to the edges of the box: up, left, down, right [pixel].
    max_detections : int
    max_iou : float
        Boxes that overlap a better one more than this are dropped; by default none, since a source has one peak.
    min_score : float
        Detections have a higher probability.

    Returns
    -------
    dict of str to tensor
        Detections, with `centres` (n, max_detections, 2), y and x of the peaks [pixel].

    Notes
    -----
    Zhou et al. (2019), Sec. 4: a peak is no smaller than its eight neighbours.
    """
    n, rows, columns, n_classes = ops.shape(heat)
    is_peak = heat == ops.max_pool(heat, 3, 1, padding="same")
    scores = ops.reshape(ops.where(is_peak, heat, 0.0), (n, -1))
    n_best = min(max_detections, scores.shape[1]) if scores.shape[1] else max_detections
    scores, index = ops.top_k(scores, n_best)
    classes, pixel = index % n_classes + 1, index // n_classes
    centres = ops.cast(ops.stack([pixel // columns, pixel % columns], axis=-1), "float32")
    reach = ops.take_along_axis(ops.reshape(distances, (n, rows * columns, 4)), pixel[..., None], axis=1)
    boxes = ops.concatenate([centres - reach[..., :2], centres + reach[..., 2:]], axis=-1)
    found = suppress(boxes, scores, max_detections, max_iou, min_score=min_score)
    index = found.pop("index")
    return {
        **found,
        "classes": ops.where(found["is_valid"], ops.take_along_axis(classes, index, axis=1), 0),
        "centres": ops.where(
            found["is_valid"][..., None], ops.take_along_axis(centres, index[..., None], axis=1), 0.0
        ),
    }


def _allowed_shift(height, width):
    """Shift in y and in x that leaves a box an IoU of MIN_IOU: (h - r)(w - r) is 2 t / (1 + t) of h w [pixel]."""
    both = height + width
    return (both - ops.sqrt(ops.square(both) - 4 * height * width * (1 - MIN_IOU) / (1 + MIN_IOU))) / 2
