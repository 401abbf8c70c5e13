"""Masks of sources in the frame of their boxes: truth for training, and back to the pixels of the image."""

from keras import ops

from photoz_morph.models.detection.boxes import MIN_SIZE
from photoz_morph.models.layers.roi_align import box_interpolation


def mask_targets(sources, numbers, boxes, size):
    """True masks of sources, resampled to boxes.

    Parameters
    ----------
    sources : int tensor, shape (n, rows, columns)
        Number of the source that a pixel belongs to, from 1; 0 for the sky.
    numbers : int tensor, shape (n, n_boxes)
        Number of the source of each box.
    boxes : tensor, shape (n, n_boxes, 4)
    size : int
        Bins along each side of a box.

    Returns
    -------
    tensor, shape (n, n_boxes, size, size)
        1 where at least half of a bin belongs to the source, 0 elsewhere.
    """
    is_source = ops.cast(sources[:, None] == numbers[..., None, None], "float32")
    rows, columns = box_interpolation(boxes, ops.shape(sources)[1:3], size)
    covered = ops.einsum("nkqw,nkpw->nkpq", columns, ops.einsum("nkph,nkhw->nkpw", rows, is_source))
    return ops.cast(covered >= 0.5, "float32")


def pasted_masks(masks, boxes, shape):
    """Masks of boxes on the pixels of the image, bilinear between the centres of their bins.

    Parameters
    ----------
    masks : tensor, shape (n, n_boxes, size, size)
        Probabilities.
    boxes : tensor, shape (n, n_boxes, 4)
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    tensor, shape (n, n_boxes, rows, columns)
        0 outside of the box.
    """
    rows, columns = (
        _from_bins(boxes[..., axis], boxes[..., axis + 2], shape[axis], masks.shape[2]) for axis in (0, 1)
    )
    return ops.einsum("nkwq,nkhq->nkhw", columns, ops.einsum("nkhp,nkpq->nkhq", rows, masks))


def source_map(pasted, is_valid, threshold=0.5):
    """Number of the detection that a pixel belongs to.

    Parameters
    ----------
    pasted : tensor, shape (n, n_boxes, rows, columns)
        Probabilities, from `pasted_masks`.
    is_valid : bool tensor, shape (n, n_boxes)
    threshold : float
        Least probability of a pixel of a source.

    Returns
    -------
    int tensor, shape (n, rows, columns)
        Row of the detection with the largest probability plus 1, 0 for the sky.
    """
    pasted = ops.where(is_valid[..., None, None], pasted, 0.0)
    number = ops.cast(ops.argmax(pasted, axis=1), "int32") + 1
    return ops.where(ops.max(pasted, axis=1) >= threshold, number, 0)


def _from_bins(start, end, n_pixels, size):
    """Weights of the bins of boxes in the pixels of an axis, shape (n, n_boxes, n_pixels, size)."""
    pixels = ops.arange(n_pixels, dtype="float32")
    start, end = start[..., None], end[..., None]
    inside = ops.logical_and(pixels > start, pixels < end)
    places = (pixels - start) / ops.maximum(end - start, MIN_SIZE) * size - 0.5
    places = ops.clip(places, 0.0, size - 1.0)
    weights = ops.maximum(1 - ops.abs(places[..., None] - ops.arange(size, dtype="float32")), 0.0)
    return ops.where(inside[..., None], weights, 0.0)
