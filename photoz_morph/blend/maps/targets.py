"""Maps of stars and dust as targets of a network, which pixels count, and their scores.

A network from the image of a galaxy to its maps is a U-Net with a head `maps` of four linear channels and
`KnownPixelsLoss`, which leaves pixels out whose target is NaN. Targets are in units of order 1; predictions come back
by `maps_of_outputs`.
"""

import numpy as np

from photoz_morph.metrics.maps.pixels import map_scores, map_terms

# Map -> centre and scale, about the mean and the standard deviation of its pixels.
UNITS = {"mass": (7.7, 0.55), "age": (9.6, 0.3), "metallicity": (-0.2, 0.25), "a_v": (0.1, 0.15)}
HEAD = {"maps": (len(UNITS), "logits")}  # of `models.unet`
FAINTEST = 25.0  # [mag/arcsec^2] in r, to which pixels count


def counted_pixels(brightness, zero_point, pixel_scale, faintest=FAINTEST):
    """Pixels whose true surface brightness in r is above a limit.

    Parameters
    ----------
    brightness : ndarray
        Flux per pixel in r without noise.
    zero_point : float
        AB magnitude of one unit of flux.
    pixel_scale : float
        [arcsec]
    faintest : float
        [mag/arcsec^2]

    Returns
    -------
    ndarray of bool
    """
    return np.asarray(brightness) > faintest_flux(zero_point, pixel_scale, faintest)


def faintest_flux(zero_point, pixel_scale, faintest=FAINTEST):
    """Flux per pixel of that limit; arguments of `counted_pixels`."""
    return pixel_scale**2 * 10 ** (0.4 * (zero_point - faintest))


def map_targets(maps, inside):
    """Targets of a network.

    Parameters
    ----------
    maps : ndarray, shape (n, size, size, 4)
        In the order of `UNITS`.
    inside : ndarray of bool, shape (n, size, size)
        Pixels that count.

    Returns
    -------
    ndarray, shape (n, size, size, 4), float32
        In units of order 1, NaN where a pixel does not count.
    """
    centre, scale = np.array(list(UNITS.values()), np.float32).T
    return np.where(np.asarray(inside)[..., None], (maps - centre) / scale, np.float32(np.nan)).astype(np.float32)


def maps_of_outputs(outputs):
    """Maps in their units, of outputs, an array or a tensor, of a network that was trained on `map_targets`."""
    centre, scale = np.array(list(UNITS.values()), np.float32).T
    return outputs * scale + centre


def evaluate_maps(true_maps, maps, inside, group_id, n_resamples=1000, seed=0):
    """Scores of the maps of `metrics.maps.pixels.map_scores`, by name, with intervals over groups of galaxies.

    Parameters
    ----------
    true_maps, maps : ndarray, shape (n, size, size, 4)
        In their units: dex and, for the dust, mag.
    inside : ndarray of bool, shape (n, size, size)
        Pixels that count.
    group_id : ndarray, shape (n,)
    n_resamples, seed : int

    Returns
    -------
    dict of str to dict
    """
    return map_scores(map_terms(true_maps, maps, inside), group_id, tuple(UNITS), n_resamples, seed)
