"""Sparse-PGD, the published white-box attack on k pixels: Zhong, Huang & Liu (2024, ICML, arXiv 2405.05075).

The perturbation is a dense image of values times a mask of k pixels. Both follow the gradient: the values by steps of
its sign, the mask by steps of a continuous score for each pixel, of which the k highest are the mask. Settings are the
authors', without projection of the gradient.
"""

import numpy as np

from photoz_morph.robustness.one_pixel.searches import Edits

STEP_VALUES = 0.25  # alpha, of the range of the values; this and the next two are the authors' choice
STEP_MASK = 0.25  # beta, times the square root of the number of pixels
PATIENCE = 3  # steps without a change of the mask, after which it is drawn anew


def sparse_pgd(original, bounds, rng, n_pixels):
    """Descent along the gradient over values and mask; each step asks for one set, and for the gradient there.

    Parameters
    ----------
    original : ndarray, shape (rows, columns, n_bands)
        Image [image unit].
    bounds : Bounds
        Values and steps are in fractions of this range.
    rng : Generator
    n_pixels : int

    Notes
    -----
    Is sent pairs: the score of the set, and the gradient of the score over the edited image, of the shape of the image.
    The score is the margin, as in the authors' code for images near a flip; the paper's loss is the cross entropy.
    """
    clean = bounds.fraction(original)
    values = np.clip(clean + rng.uniform(-1, 1, clean.shape), 0, 1)
    mask, unchanged = rng.normal(size=clean.shape[:2]), 0
    chosen = _highest(mask, n_pixels)
    while True:
        rows, columns = np.divmod(chosen, clean.shape[1])
        _, slope = yield Edits(np.stack([rows, columns], axis=-1)[None], bounds.at(values[rows, columns])[None])
        here = clean.copy()
        here[rows, columns] = values[rows, columns]
        slope = slope * bounds.slope(here)  # over the fractions
        weight = 1 / (1 + np.exp(-mask))
        step = np.sum(slope * (values - clean), axis=-1) * weight * (1 - weight)
        values = np.clip(values - STEP_VALUES * np.sign(slope), 0, 1)
        length = np.linalg.norm(step)
        if length > 0:
            mask = mask - STEP_MASK * np.sqrt(mask.size) * step / length
        earlier, chosen = chosen, _highest(mask, n_pixels)
        unchanged = unchanged + 1 if np.array_equal(earlier, chosen) else 0
        if unchanged >= PATIENCE:
            mask, unchanged = rng.normal(size=mask.shape), 0
            chosen = _highest(mask, n_pixels)


def _highest(mask, n_pixels):
    """Flat indices of the pixels of the highest scores, in rising order."""
    return np.sort(np.argpartition(mask, -n_pixels, axis=None)[-n_pixels:])
