"""Scores of segmentations: IoU of classes and of sources, panoptic quality, completeness and purity of pixels.

A class map has the class of each pixel, 0 for the background. A map of sources has 0 where no source is and i where
the i-th source of the image's table is, counted from 1. Everything is a ratio of sums over images (`completeness.
ratio`), whose terms the functions return for one image, so that `group_errors.group_bootstrap` gives errors of any.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from photoz_morph.metrics.completeness import bin_number

PANOPTIC_IOU = 0.5  # above which a match is unique; Kirillov et al. (2019), Sec. 4.1


def class_map(segmentation, label):
    """Class of each pixel, 0 where no source is; `label`, shape (n,), are the classes of sources 1 to n of the map."""
    return np.concatenate([[0], np.asarray(label, int)])[np.asarray(segmentation)]


def class_confusion(truth, predicted, n_classes):
    """Number of pixels of each true class (rows) and predicted class (columns), shape (n_classes, n_classes).

    Parameters
    ----------
    truth, predicted : ndarray of int, shape (height, width)
    n_classes : int
        With the background.

    Raises
    ------
    ValueError
        If the shapes differ or a class is out of range.
    """
    truth, predicted = _same_shape(truth, predicted)
    for name, values in (("truth", truth), ("predicted", predicted)):
        if values.size and not 0 <= values.min() <= values.max() < n_classes:
            raise ValueError(f"{name} has classes {values.min()} to {values.max()}, needs 0 to {n_classes - 1}")
    pairs = truth.ravel().astype(np.int64) * n_classes + predicted.ravel()
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def class_iou(confusion):
    """Intersection over union of the pixels of each class.

    Parameters
    ----------
    confusion : ndarray, shape (..., n_classes, n_classes)
        Sum of `class_confusion` over images.

    Returns
    -------
    ndarray, shape (..., n_classes)
        NaN for a class that is neither there nor predicted.
    """
    confusion = np.asarray(confusion, float)
    both = np.diagonal(confusion, axis1=-2, axis2=-1)
    union = confusion.sum(axis=-1) + confusion.sum(axis=-2) - both
    return np.divide(both, union, out=np.full(both.shape, np.nan), where=union > 0)


def foreground_iou(confusion):
    """Intersection over union of the pixels of any source against the background; `confusion` as for `class_iou`."""
    confusion = np.asarray(confusion, float)
    both = confusion[..., 1:, 1:].sum(axis=(-2, -1))
    return both / (confusion.sum(axis=(-2, -1)) - confusion[..., 0, 0])


def overlap_counts(truth, predicted):
    """Number of pixels that each true and each predicted source have in common.

    Parameters
    ----------
    truth, predicted : ndarray of int, shape (height, width)
        Maps of sources.

    Returns
    -------
    ndarray of int, shape (n_truth + 1, n_predicted + 1)
        Row and column 0 are the pixels of no source; the numbers are the largest of the maps.
    """
    truth, predicted = _same_shape(truth, predicted)
    n_columns = int(predicted.max(initial=0)) + 1
    pairs = truth.ravel().astype(np.int64) * n_columns + predicted.ravel()
    shape = (int(truth.max(initial=0)) + 1, n_columns)
    return np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)


def match_segments(counts):
    """Predicted source of each true one, with the largest sum of IoU that pairs of one and one can have.

    Parameters
    ----------
    counts : ndarray, shape (n_truth + 1, n_predicted + 1)
        From `overlap_counts`.

    Returns
    -------
    partner : ndarray of int, shape (n_truth,)
        Number of the predicted source, 0 for none.
    iou : ndarray, shape (n_truth,)
        0 for none, and NaN for a source without a pixel.

    Notes
    -----
    The assignment of Kuhn (1955). Above an IoU of 1/2 it is that of the panoptic quality.
    """
    sizes = counts.sum(axis=1)[1:, None]
    union = sizes + counts.sum(axis=0)[None, 1:] - counts[1:, 1:]
    iou = np.divide(counts[1:, 1:], union, out=np.zeros(union.shape), where=union > 0)
    partner, values = np.zeros(len(iou), int), np.zeros(len(iou))
    if iou.size:
        rows, columns = linear_sum_assignment(iou, maximize=True)
        values[rows] = iou[rows, columns]
        partner[rows] = np.where(values[rows] > 0, columns + 1, 0)
    return partner, np.where(sizes[:, 0] > 0, values, np.nan)


def source_pixels(truth, predicted, n_sources):
    """IoU and pixels of each true source of an image.

    Parameters
    ----------
    truth, predicted : ndarray of int, shape (height, width)
        Maps of sources.
    n_sources : int
        Rows of the image's table of true sources, some of which may have no pixel.

    Returns
    -------
    iou : ndarray, shape (n_sources,)
        With the predicted source it was matched with; 0 where there is none, NaN where the truth has no pixel.
    pixels : ndarray of int, shape (n_sources, 3)
        Pixels in common with that source, of the truth, and of the predicted source.
    """
    counts = overlap_counts(truth, predicted)
    if len(counts) > n_sources + 1:
        raise ValueError(f"the map has source {len(counts) - 1}, its table {n_sources} rows; give those of one image")
    partner, found = match_segments(counts)
    iou, pixels = np.full(n_sources, np.nan), np.zeros((n_sources, 3), int)
    rows = np.arange(len(partner))
    iou[rows] = found
    has_partner = partner > 0
    pixels[rows, 0] = counts[rows + 1, partner] * has_partner
    pixels[rows, 1] = counts[1:].sum(axis=1)
    pixels[rows, 2] = counts.sum(axis=0)[partner] * has_partner
    return iou, pixels


def source_terms(quantities, values, edges):
    """Sums over the sources of an image, in bins of one of their properties.

    Parameters
    ----------
    quantities : ndarray, shape (n_sources, n_q)
        Such as the columns of a ratio: common and true pixels of `source_pixels` for the completeness, common and
        predicted ones for the purity, the IoU and ones for its mean. Rows with NaN are left out.
    values : ndarray, shape (n_sources,)
        Magnitude or blendedness.
    edges : ndarray, shape (n_bins + 1,)
        Bins as of `completeness.bin_number`.

    Returns
    -------
    ndarray, shape (n_bins, n_q)
    """
    quantities, chosen = np.asarray(quantities, float), bin_number(values, edges)
    counts = (chosen >= 0) & np.isfinite(quantities).all(axis=1)
    terms = np.zeros((len(edges) - 1, quantities.shape[1]))
    np.add.at(terms, chosen[counts], quantities[counts])
    return terms


def class_pixels(truth, predicted_class, label):
    """Pixels of each true source that a class map finds, for networks that tell classes but no sources apart.

    Parameters
    ----------
    truth : ndarray of int, shape (height, width)
        Map of sources.
    predicted_class : ndarray of int, shape (height, width)
    label : ndarray of int, shape (n_sources,)
        True classes.

    Returns
    -------
    ndarray of int, shape (n_sources, 3)
        Pixels predicted to be of the true class, of any class but the background, and all of the source.
    """
    truth, predicted = _same_shape(truth, predicted_class)
    label = np.asarray(label)
    inside = truth > 0
    source, found = truth[inside] - 1, predicted[inside]
    parts = (found == label[source], found > 0, np.ones(len(found), bool))
    return np.stack([np.bincount(source, part, minlength=len(label)) for part in parts], axis=1).astype(int)


def panoptic_terms(truth, predicted, truth_class, predicted_class, n_classes, is_target=None):
    """Terms of the panoptic quality of an image.

    Parameters
    ----------
    truth, predicted : ndarray of int, shape (height, width)
        Maps of sources.
    truth_class, predicted_class : ndarray of int, shapes (n_truth,) and (n_predicted,)
        Classes of the sources, 1 to n_classes - 1.
    n_classes : int
        With the background, which has no sources.
    is_target : ndarray of bool, shape (n_truth,), optional
        The pixels of truths that are no targets are void: they belong to no union, and a prediction of which more than
        half is void is not counted. By default all are targets.

    Returns
    -------
    ndarray, shape (n_classes - 1, 4)
        For each class the sum of the IoU of matched sources, and the number of matched, of false and of missed ones.

    Notes
    -----
    Kirillov et al. (2019), Sec. 4; void pixels as in their Sec. 4.2.
    """
    truth_class, predicted_class = np.asarray(truth_class, int), np.asarray(predicted_class, int)
    is_target = np.ones(len(truth_class), bool) if is_target is None else np.asarray(is_target, bool)
    counts = np.zeros((len(truth_class) + 1, len(predicted_class) + 1), int)
    known = overlap_counts(truth, predicted)
    counts[: known.shape[0], : known.shape[1]] = known
    size, predicted_size = counts.sum(axis=1)[1:], counts.sum(axis=0)[1:]
    void = counts[1:, 1:][~is_target].sum(axis=0)
    both = counts[1:, 1:]
    union = size[:, None] + (predicted_size - void)[None, :] - both
    iou = np.divide(both, union, out=np.zeros(both.shape), where=union > 0)
    is_match = (iou > PANOPTIC_IOU) & is_target[:, None] & (truth_class[:, None] == predicted_class[None, :])
    terms = np.zeros((n_classes - 1, 4))
    rows, columns = np.nonzero(is_match)
    np.add.at(terms, (truth_class[rows] - 1, 0), iou[rows, columns])
    np.add.at(terms, (truth_class[rows] - 1, 1), 1)
    is_false = ~is_match.any(axis=0) & (predicted_size > 0) & (2 * void <= predicted_size)
    np.add.at(terms, (predicted_class[is_false] - 1, 2), 1)
    np.add.at(terms, (truth_class[is_target & (size > 0) & ~is_match.any(axis=1)] - 1, 3), 1)
    return terms


def panoptic_quality(terms):
    """Panoptic quality of each class: sum of the IoU of matched sources over matches + half the false and missed ones.

    Parameters
    ----------
    terms : ndarray, shape (..., n_classes - 1, 4)
        Sum of `panoptic_terms` over images.

    Returns
    -------
    ndarray, shape (..., n_classes - 1)
        NaN for a class without sources, true or predicted. Kirillov et al. (2019), Eq. 1.
    """
    terms = np.asarray(terms, float)
    below = terms[..., 1] + 0.5 * (terms[..., 2] + terms[..., 3])
    return np.divide(terms[..., 0], below, out=np.full(below.shape, np.nan), where=below > 0)


def _same_shape(truth, predicted):
    """Two maps as arrays; a ValueError if their shapes differ."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape:
        raise ValueError(f"the true map has shape {truth.shape}, the predicted one {predicted.shape}; give one image's")
    return truth, predicted
