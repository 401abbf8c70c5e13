"""Fields as they would be observed: smoothed by a beam, with white noise, and with holes where nothing is known.

The task from field to field is to restore ln(1 + delta) from such an observation. Fields are periodic, and so is the
smoothing.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from photoz_morph.simulation.cosmology.lognormal import STREAMS, log_density

FWHM_OVER_SIGMA = np.sqrt(8 * np.log(2))


@dataclass(frozen=True)
class ObservationSettings:
    """How a field is observed.

    Attributes
    ----------
    beam_fwhm : float
        Of the Gaussian beam [pixel]; 0 for none.
    noise : float
        Standard deviation of the noise of a pixel, after smoothing.
    masked : float
        Expected part of the field that is hidden by holes, 0 to 0.9.
    hole_radius : float
        [pixel]
    """

    beam_fwhm: float = 3.0
    noise: float = 0.2
    masked: float = 0.1
    hole_radius: float = 4.0

    def __post_init__(self):
        for name, low, high in (("beam_fwhm", 0, np.inf), ("noise", 0, np.inf), ("masked", 0, 0.9)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number from {low} to {high}")
        if not self.hole_radius > 0:
            raise ValueError(f"hole_radius is {self.hole_radius}; give a number above 0")


def observe_fields(fields, indices, settings=ObservationSettings(), seed=1):
    """Observations of fields and what they are of.

    Parameters
    ----------
    fields : ndarray, shape (n, n_pixels, n_pixels)
        delta, from `simulate_fields`.
    indices : sequence of int
        Those of the fields: noise and holes are functions of (seed, index).
    settings : ObservationSettings
    seed : int

    Returns
    -------
    observed : ndarray, shape (n, n_pixels, n_pixels, 2), float32
        The noisy ln(1 + delta), 0 in holes; and 1 where a pixel is seen, 0 in holes.
    truth : ndarray, shape (n, n_pixels, n_pixels, 1), float32
        ln(1 + delta), the target.
    """
    return observe_logarithms(log_density(fields), indices, settings, seed)


def observe_logarithms(truth, indices, settings=ObservationSettings(), seed=1):
    """Observations of fields that are logarithms already, shape (n, n_pixels, n_pixels); else as `observe_fields`."""
    truth = np.asarray(truth, np.float32)
    n = truth.shape[-1]
    observed = np.empty((*truth.shape, 2), np.float32)
    beam = beam_transform(n, settings.beam_fwhm)
    for row, index in enumerate(indices):
        rng = np.random.default_rng([seed, int(index), STREAMS["observation"]])
        seen = draw_mask(n, settings, rng)
        smooth = fft.irfft2(fft.rfft2(truth[row].astype(float)) * beam, s=(n, n))
        noisy = smooth + settings.noise * rng.standard_normal((n, n))
        observed[row] = np.stack([noisy * seen, seen], axis=-1)
    return observed, truth[..., None]


def beam_transform(n_pixels, fwhm):
    """Fourier transform of a Gaussian beam of unit sum on the half plane of `rfft2`.

    Parameters
    ----------
    n_pixels : int
        Along each side.
    fwhm : float
        [pixel]

    Returns
    -------
    ndarray, shape (n_pixels, n_pixels // 2 + 1)
    """
    rows, columns = fft.fftfreq(n_pixels), fft.rfftfreq(n_pixels)  # [cycles per pixel]
    square = (2 * np.pi) ** 2 * (rows[:, None] ** 2 + columns**2)
    return np.exp(-square * (fwhm / FWHM_OVER_SIGMA) ** 2 / 2)


def draw_mask(n_pixels, settings, rng):
    """Where a field is seen, shape (n_pixels, n_pixels), bool: all but round holes at random places, which may overlap.

    Parameters
    ----------
    n_pixels : int
    settings : ObservationSettings
    rng : numpy.random.Generator
    """
    # Holes at random places leave exp(-number * area) of the field in sight.
    mean_number = -np.log1p(-settings.masked) * n_pixels**2 / (np.pi * settings.hole_radius**2)
    centres = rng.uniform(0, n_pixels, (rng.poisson(mean_number), 2))
    seen = np.ones((n_pixels, n_pixels), bool)
    for centre in centres:
        row, column = (np.abs((np.arange(n_pixels) - place + n_pixels / 2) % n_pixels - n_pixels / 2)
                       for place in centre)  # fmt: skip
        seen &= np.hypot(row[:, None], column) > settings.hole_radius
    return seen
