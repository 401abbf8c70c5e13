"""Maps of stars and dust from each pixel alone, by gradient boosting on its fluxes and colours.

This is what relations between mass-to-light ratio and colour do (Bell & de Jong 2001; Zibetti et al. 2009), learnt on
the very galaxies of the training set. What it cannot know is the rest of the galaxy.
"""

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

N_PIXELS = 200_000  # of training, drawn among those that count
MIN_PIXELS = 1000
OPTIONS = {"learning_rate": 0.1, "max_iter": 200, "max_leaf_nodes": 31, "min_samples_leaf": 50}  # our choices


def pixel_features(images, sky_sigma):
    """What is known of each pixel.

    Parameters
    ----------
    images : ndarray, shape (..., n_bands)
        With noise.
    sky_sigma : sequence of float, shape (n_bands,)
        Noise of an empty pixel, the softening of the magnitudes.

    Returns
    -------
    ndarray, shape (..., 2 n_bands - 1), float32
        arcsinh magnitudes [mag], as of Lupton et al. (1999), and the colours of neighbouring bands.
    """
    softening = np.asarray(sky_sigma, float)
    mags = -2.5 / np.log(10) * (np.arcsinh(np.asarray(images, float) / (2 * softening)) + np.log(softening))
    return np.concatenate([mags, mags[..., :-1] - mags[..., 1:]], axis=-1).astype(np.float32)


def fit_pixel_maps(images, maps, inside, sky_sigma, n_pixels=N_PIXELS, seed=0):
    """Learn maps from pixels.

    Parameters
    ----------
    images : ndarray, shape (n, size, size, n_bands)
    maps : ndarray, shape (n, size, size, n_maps)
    inside : ndarray of bool, shape (n, size, size)
        Pixels that count.
    sky_sigma : sequence of float
    n_pixels : int
        Drawn among these.
    seed : int

    Returns
    -------
    list of HistGradientBoostingRegressor
        For each map; for `predict_pixel_maps`.

    Raises
    ------
    ValueError
        If there are fewer than `MIN_PIXELS`.
    """
    rows = np.flatnonzero(np.asarray(inside, bool))
    if len(rows) < MIN_PIXELS:
        raise ValueError(f"{len(rows)} pixels count; boosting needs {MIN_PIXELS} or more, give more galaxies")
    if len(rows) > n_pixels:
        rows = np.sort(np.random.default_rng(seed).choice(rows, n_pixels, replace=False))
    features = pixel_features(np.reshape(images, (-1, np.shape(images)[-1]))[rows], sky_sigma)
    targets = np.reshape(maps, (-1, np.shape(maps)[-1]))[rows]
    with threadpool_limits(limits=1, user_api="openmp"):
        return [HistGradientBoostingRegressor(early_stopping=False, random_state=seed, **OPTIONS).fit(features, target)
                for target in targets.T]  # fmt: skip


def predict_pixel_maps(models, images, inside, sky_sigma):
    """Maps of galaxies.

    Parameters
    ----------
    models : list of HistGradientBoostingRegressor
    images : ndarray, shape (n, size, size, n_bands)
    inside : ndarray of bool, shape (n, size, size)
        Pixels that are wanted.
    sky_sigma : sequence of float

    Returns
    -------
    ndarray, shape (n, size, size, n_maps), float32
        NaN elsewhere.
    """
    inside = np.asarray(inside, bool)
    maps = np.full((*inside.shape, len(models)), np.nan, np.float32)
    features = pixel_features(np.asarray(images)[inside], sky_sigma)
    if len(features):
        with threadpool_limits(limits=1, user_api="openmp"):
            maps[inside] = np.stack([model.predict(features) for model in models], axis=-1)
    return maps
