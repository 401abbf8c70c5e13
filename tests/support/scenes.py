"""Small fields of Gaussian sources with their true boxes, classes, pixels and images."""

import numpy as np

N_CLASSES = 2  # round and narrow


def gaussian_field(n_images=16, side=32, n_sources=3, noise=0.05, seed=0):
    """Fields of one band with sources of two classes: round, and twice as wide as high.

    Returns
    -------
    dict of str to ndarray
        `image` (n, side, side, 1), `boxes` (n, n_sources, 4) of 1.5 sigma about the centres, `centres` (n, n_sources,
        2), `classes` (n, n_sources), `sources` (n, side, side), the number of the brightest source above 0.2, and
        `each` (n, n_sources, side, side), without noise. The last row of the sources of every second image is padding.
    """
    rng = np.random.default_rng(seed)
    at = np.arange(side)
    centres = rng.uniform(6, side - 7, (n_images, n_sources, 2))
    classes = rng.integers(1, N_CLASSES + 1, (n_images, n_sources))
    elongation = np.stack([np.ones(classes.shape), classes], axis=-1)  # of class 2 twice as wide
    sigmas = rng.uniform(1.5, 2.5, (n_images, n_sources, 1)) * elongation
    classes[::2, -1] = 0
    rows, columns = (np.exp(-((at - centres[..., i, None]) ** 2) / (2 * sigmas[..., i, None] ** 2)) for i in (0, 1))
    each = rows[..., :, None] * columns[..., None, :] * (classes > 0)[..., None, None]
    boxes = np.concatenate([centres - 1.5 * sigmas, centres + 1.5 * sigmas], axis=-1) * (classes > 0)[..., None]
    image = each.sum(axis=1) + rng.normal(size=(n_images, side, side)) * noise
    sources = np.where(each.max(axis=1) > 0.2, each.argmax(axis=1) + 1, 0)
    return {
        "image": image[..., None].astype(np.float32), "boxes": boxes.astype(np.float32),
        "centres": centres.astype(np.float32), "classes": classes.astype(np.int32),
        "sources": sources.astype(np.int32), "each": each.astype(np.float32),
    }  # fmt: skip


def classes_of_pixels(field):
    """Class of each pixel, shape (n, rows, columns)."""
    padded = np.concatenate([np.zeros_like(field["classes"][:, :1]), field["classes"]], axis=1)
    return padded[np.arange(len(padded))[:, None, None], field["sources"]]


def box_overlaps(boxes, others):
    """IoU of boxes of shapes (n, 4) and (m, 4), one pair after the other."""
    overlaps = np.zeros((len(boxes), len(others)))
    for i, (y0, x0, y1, x1) in enumerate(boxes):
        for j, (v0, u0, v1, u1) in enumerate(others):
            both = max(0, min(y1, v1) - max(y0, v0)) * max(0, min(x1, u1) - max(x0, u0))
            union = (y1 - y0) * (x1 - x0) + (v1 - v0) * (u1 - u0) - both
            overlaps[i, j] = both / union if union else 0.0
    return overlaps


def found_fraction(detections, field, min_iou=0.5, min_score=0.5, with_class=True):
    """Fraction of the sources that a detection of their class overlaps, and of the detections that overlap one."""
    n_found = n_right = n_true = n_detections = 0
    for row in range(len(field["image"])):
        is_true = field["classes"][row] > 0
        is_kept = np.array(detections["is_valid"][row]) & (np.array(detections["scores"][row]) > min_score)
        overlaps = box_overlaps(np.array(detections["boxes"][row])[is_kept], field["boxes"][row][is_true]) > min_iou
        if with_class:
            classes = np.array(detections["classes"][row])[is_kept]
            overlaps &= classes[:, None] == field["classes"][row][is_true]
        n_found, n_true = n_found + overlaps.any(axis=0).sum(), n_true + is_true.sum()
        n_right, n_detections = n_right + overlaps.any(axis=1).sum(), n_detections + is_kept.sum()
    return n_found / n_true, n_right / max(n_detections, 1)
