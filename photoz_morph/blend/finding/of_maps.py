"""Sources in the maps of a U-Net: peaks of the heat are sources, pixels say which of them they belong to.

A pixel is of a source where the sky is less probable than one half, and belongs to the detection whose centre is
nearest to where the pixel says that its own is (as in Cheng et al. 2020, arXiv 1911.10194, Eq. 1). Classes are the mean
probabilities over the pixels of a source, or over the 3 x 3 pixels at its centre if it has none; the sky is left out.
"""

import numpy as np
from keras import ops

from photoz_morph.models.detection.peaks import peaks_to_detections


def mean_maps(outputs):
    """Mean over networks of the probabilities of classes and centres, and of the ways to edges and centres.

    Parameters
    ----------
    outputs : list of dict of str to tensor, shape (n, rows, columns, ...)
        `semantic` and `heat`, which are logits, `distances` and `offsets`.

    Returns
    -------
    dict of str to tensor
    """
    maps = [
        {**output, "semantic": ops.softmax(output["semantic"]), "heat": ops.sigmoid(output["heat"])}
        for output in outputs
    ]
    return {name: sum(each[name] for each in maps) / len(maps) for name in maps[0]}


def sources_of_maps(maps, config, shape):
    """Sources of a batch of images.

    Parameters
    ----------
    maps : dict of str to tensor
        From `mean_maps`.
    config : BlendConfig
    shape : tuple of int
        Rows and columns of the images.

    Yields
    ------
    dict of str to ndarray
        For each image `centres` (n, 2), `boxes` (n, 4), `scores` (n,), `probabilities` (n, n_classes) and `owners`
        `shape`, the number of the detection of each pixel from 1, 0 for the sky.
    """
    found = peaks_to_detections(
        maps["heat"], maps["distances"], config.option("detection.max_detections"),
        config.option("detection.max_iou"), config.option("detection.min_score"),
    )  # fmt: skip
    found, maps = ({name: ops.convert_to_numpy(value) for name, value in part.items()} for part in (found, maps))
    for row, is_valid in enumerate(found["is_valid"]):
        sources = {name: found[name][row][is_valid] for name in ("centres", "boxes", "scores")}
        semantic = maps["semantic"][row]
        is_sure = sources["scores"] >= config.option("detection.map_score")
        owners = owners_of_pixels(semantic, maps["offsets"][row], sources["centres"], is_sure)
        probabilities = mean_probabilities(semantic, owners, sources["centres"])
        yield {**sources, "probabilities": probabilities, "owners": owners}


def owners_of_pixels(semantic, offsets, centres, is_sure):
    """Detection of each pixel.

    Parameters
    ----------
    semantic : ndarray, shape (rows, columns, n_classes)
        Probabilities.
    offsets : ndarray, shape (rows, columns, 2)
        Way to the centre, in y and x [pixel].
    centres : ndarray, shape (n, 2)
        y, x [pixel].
    is_sure : ndarray of bool, shape (n,)
        Detections to which pixels can belong.

    Returns
    -------
    ndarray, shape (rows, columns), int16
        0 for the sky.
    """
    owners = np.zeros(semantic.shape[:2], np.int16)
    sure = np.flatnonzero(is_sure)
    rows, columns = np.nonzero(semantic[..., 0] < 0.5)
    if len(sure):
        told = np.stack([rows, columns], axis=-1) + offsets[rows, columns]
        away = told[:, None] - centres[sure]
        owners[rows, columns] = sure[np.hypot(away[..., 0], away[..., 1]).argmin(axis=1)] + 1
    return owners


def mean_probabilities(semantic, owners, centres):
    """Probabilities of classes of detections, shape (n, n_classes); that of the sky is 0, the others add up to 1."""
    n_classes, n = semantic.shape[-1], len(centres)
    flat, numbers = semantic.reshape(-1, n_classes), owners.ravel()
    sums = np.stack([np.bincount(numbers, flat[:, kind], n + 1) for kind in range(n_classes)], axis=-1)[1:]
    padded = np.pad(semantic, ((1, 1), (1, 1), (0, 0)), mode="edge")
    for k in np.flatnonzero(np.bincount(numbers, minlength=n + 1)[1:] == 0):
        row, column = np.rint(centres[k]).astype(int)
        sums[k] = padded[row : row + 3, column : column + 3].sum(axis=(0, 1))
    sums[:, 0] = 0
    return sums / sums.sum(axis=1, keepdims=True)
