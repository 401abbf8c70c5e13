"""Which bands of one survey stand for those of another, and what that makes of the weights of an input layer.

A band stands for the band of its name. A band that only the new survey has starts from its neighbour in wavelength. A
band that it lacks is left out. As descriptions hold no wavelengths, the dust orders the bands: the bluer, the more it
dims.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BandMap:
    """Bands of a new survey in terms of those of the survey that networks were trained on.

    Attributes
    ----------
    origin : tuple of int
        Index of the old band that each new band starts from.
    stand_in : tuple of int
        Index of the new band nearest to each old band, the one of its name if there is one.
    n_old : int
        Old bands.
    """

    origin: tuple
    stand_in: tuple
    n_old: int

    @property
    def shares(self):
        """Values of the old bands from those of the new, shape (n_old, n_new).

        The mean of the new bands that start from an old one, so that networks find what they would find in the old
        band where these are alike; 0 for a band that is left out.
        """
        shares = np.zeros((self.n_old, len(self.origin)))
        shares[self.origin, range(len(self.origin))] = 1
        return shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)

    @property
    def filled(self):
        """`shares`, but the nearest new band stands in for a band that is left out, so that their colour is 0."""
        filled = self.shares
        for old in np.flatnonzero(~filled.any(axis=1)):
            filled[old, self.stand_in[old]] = 1
        return filled

    @property
    def is_same(self):
        """True if both have the same bands in the same order."""
        return self.origin == tuple(range(self.n_old))


def band_map(old, new):
    """Map from the bands of one survey to those of another.

    Parameters
    ----------
    old, new : Survey
        Names of bands are compared without regard to their case.

    Returns
    -------
    BandMap

    Raises
    ------
    ValueError
        If they have no band in common.
    """
    names, others = ([band.lower() for band in survey.bands] for survey in (old, new))
    if not set(names) & set(others):
        raise ValueError(
            f"survey {new.name} has bands {', '.join(new.bands)}, {old.name} has {', '.join(old.bands)}: none in "
            "common, so no layer can be taken over; train from random weights"
        )
    dust = [np.log(np.maximum(survey.extinction_per_ebv, 1e-3)) for survey in (old, new)]
    distance = np.abs(dust[0][:, None] - dust[1])
    origin = [names.index(band) if band in names else int(distance[:, at].argmin()) for at, band in enumerate(others)]
    stand_in = [others.index(band) if band in others else int(distance[at].argmin()) for at, band in enumerate(names)]
    return BandMap(tuple(origin), tuple(stand_in), len(names))


def in_new_bands(values, bands):
    """Values of the old bands, taken over for the new ones; a tuple of float, None where there are none."""
    return None if values is None else tuple(values[old] for old in bands.origin)


def scale_channels(n_bands):
    """Channels of `PixelScales` from the linear and asinh pixels of each band, shape (2 n_bands, 2 n_bands)."""
    channels = np.zeros((2 * n_bands, 2 * n_bands))
    channels[range(n_bands), range(n_bands)] = 1  # the division by 20 is the same in all bands
    channels[n_bands, n_bands + n_bands // 2] = 1
    for band in range(n_bands - 1):
        channels[n_bands + 1 + band, n_bands + band] = 2
        channels[n_bands + 1 + band, n_bands + band + 1] = -2
    return channels


def kernel_of_scales(kernel, bands):
    """Kernel of a convolution of `PixelScales` for the new bands.

    Parameters
    ----------
    kernel : ndarray, shape (rows, columns, 2 n_old, n_filters)
    bands : BandMap

    Returns
    -------
    ndarray, shape (rows, columns, 2 n_new, n_filters)
        Its maps are those of the old kernel on linear pixels of `bands.shares` and asinh pixels of `bands.filled`.
    """
    old, new = scale_channels(bands.n_old), scale_channels(len(bands.origin))
    values = np.zeros((len(old), len(new)))
    values[: bands.n_old, : len(bands.origin)] = bands.shares
    values[bands.n_old :, len(bands.origin) :] = bands.filled
    # Responses to the pixels of old bands, to those of new ones, and then to the channels made of these.
    rows = np.linalg.inv(new).T @ values.T @ old.T
    return np.einsum("ts,yxsf->yxtf", rows, kernel)


def kernel_of_pixels(kernel, bands, factor=1.0):
    """Kernel of a convolution of raw or compressed pixels for the new bands.

    Parameters
    ----------
    kernel : ndarray, shape (rows, columns, n_old, n_filters)
    bands : BandMap
    factor : float
        Pixels in the old image unit over those in the new.

    Returns
    -------
    ndarray, shape (rows, columns, n_new, n_filters)
        Its maps are those of the old kernel on an image that is `bands.shares` of the new one, 0 in a band that is left
        out.
    """
    return factor * np.einsum("st,yxsf->yxtf", bands.shares, kernel)
