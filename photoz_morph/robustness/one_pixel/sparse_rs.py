"""Sparse-RS, the published random search for k pixels: Croce et al. (2022, AAAI, arXiv 2006.12834), L0, untargeted.

One set of k pixels is kept. In each step a few of its pixels are exchanged for others, whose bands are at random ends
of their range; the new set is kept if its score is lower. Settings are the authors'.
"""

import numpy as np

from photoz_morph.robustness.one_pixel.searches import edits_of

ALPHA = 0.3  # fraction of the set that is exchanged first: the authors' choice for untargeted L0 attacks
STEPS = (0, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000, after which the fraction is divided by the next of
DIVISORS = (1, 2, 4, 5, 6, 8, 10, 12, 15, 20)  # their Appendix A


def sparse_rs(shape, bounds, rng, n_pixels, n_queries, alpha=ALPHA):
    """Random search over sets of pixels; each step asks for one set.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image.
    bounds : Bounds
    rng : Generator
    n_pixels : int
        k, fewer than half of the pixels of the image.
    n_queries : int
        Budget, over which the fraction of exchanged pixels falls; the search ends with it.
    alpha : float
        Fraction of the set exchanged in the first steps.

    Notes
    -----
    Their Algorithms 1 and 2. All that is exchanged is max(int(fraction k), 1) pixels: one for k up to 13.
    """
    corners = bounds.corners()
    order = rng.permutation(shape[0] * shape[1])
    members, others = order[:n_pixels], order[n_pixels:]
    colours = rng.integers(len(corners), size=n_pixels)
    best = (yield edits_of(members[None] * len(corners) + colours, shape, corners))[0]
    for step in range(1, n_queries):
        n_new = max(int(exchanged_fraction(step, n_queries, alpha) * n_pixels), 1)
        leaving = rng.choice(n_pixels, n_new, replace=False)
        entering = rng.choice(len(others), n_new, replace=False)
        new_members, new_colours = members.copy(), colours.copy()
        new_members[leaving], new_colours[leaving] = others[entering], rng.integers(len(corners), size=n_new)
        score = (yield edits_of(new_members[None] * len(corners) + new_colours, shape, corners))[0]
        if score < best:
            others[entering] = members[leaving]
            members, colours, best = new_members, new_colours, score


def exchanged_fraction(step, n_queries, alpha=ALPHA):
    """Fraction of the set that is exchanged in a step, from 0, of a search of so many queries."""
    return alpha / DIVISORS[np.searchsorted(STEPS, int(step / n_queries * 10_000))]
