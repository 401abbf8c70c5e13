"""The Wiener filter: the best restoration of a Gaussian field from noisy, smoothed data with holes.

For a field of which mean and power spectrum are known it is the mean of the posterior (Wiener 1949; Rybicki & Press
1992), so that no network can have a smaller mean square error on Gaussian fields, such as ln(1 + delta) of log-normal
ones, unless it makes use of what each field tells about its own mean and power spectrum.
"""

import numpy as np
from scipy import fft

from photoz_morph.simulation.cosmology.observing import beam_transform

MAX_ITERATIONS = 500


def measured_prior(fields):
    """Mean and power of the modes of training fields.

    Parameters
    ----------
    fields : ndarray, shape (n, n_pixels, n_pixels)

    Returns
    -------
    mean : float
    power : ndarray, shape (n_pixels, n_pixels // 2 + 1)
        On the half plane of `rfft2`; the sum over all modes is the variance of a pixel. That of the mean is how the
        means of the fields scatter.
    """
    fields = np.asarray(fields, float)
    mean = fields.mean()
    n = fields.shape[-1]
    return float(mean), np.mean(np.abs(fft.rfft2(fields - mean)) ** 2, axis=0) / n**4


def wiener_filter(observed, mean, power, beam_fwhm, noise, tolerance=1e-5):
    """Restore fields.

    Parameters
    ----------
    observed : ndarray, shape (n, n_pixels, n_pixels, 2)
        Smoothed fields with noise, 0 in holes; and where they are seen: of `simulation.cosmology.observing`.
    mean : float
        Of the fields before the observation.
    power : ndarray, shape (n_pixels, n_pixels // 2 + 1)
        As of `measured_prior`, or `simulation.cosmology.lognormal.gaussian_power`.
    beam_fwhm : float
        [pixel]
    noise : float
        Standard deviation of the noise of a pixel.
    tolerance : float
        Norm of what is left of the equations, relative to that of the data.

    Returns
    -------
    ndarray, shape (n, n_pixels, n_pixels)

    Raises
    ------
    ValueError
        If there is no noise.
    RuntimeError
        If the equations are not solved to the tolerance.

    Notes
    -----
    S B (B S B + N)^-1 (d - B m) + m on the pixels that are seen, by conjugate gradients with the filter without holes
    as preconditioner, all fields at once.
    """
    if not noise > 0:
        raise ValueError(f"noise is {noise}; the Wiener filter needs noise above 0")
    n = observed.shape[2]
    seen = np.asarray(observed[..., 1], float)
    beam = beam_transform(n, beam_fwhm)
    signal = power * beam**2 * n**2  # eigenvalues of the covariance of the smoothed field

    def times(eigenvalues, fields):
        return fft.irfft2(fft.rfft2(fields) * eigenvalues, s=(n, n))

    left = seen * (np.asarray(observed[..., 0], float) - mean)
    size = np.sqrt(np.sum(left**2, axis=(1, 2)))
    solution = np.zeros_like(left)
    preconditioned = seen * times(1 / (signal + noise**2), left)
    direction, slope = preconditioned, np.sum(left * preconditioned, axis=(1, 2))
    for _ in range(MAX_ITERATIONS):
        if (np.sqrt(np.sum(left**2, axis=(1, 2))) <= tolerance * size).all():
            return mean + times(power * beam * n**2, solution)
        product = seen * times(signal, direction) + noise**2 * direction
        curvature = np.sum(direction * product, axis=(1, 2))
        step = np.divide(slope, curvature, out=np.zeros_like(slope), where=curvature > 0)[:, None, None]
        solution, left = solution + step * direction, left - step * product
        preconditioned = seen * times(1 / (signal + noise**2), left)
        last, slope = slope, np.sum(left * preconditioned, axis=(1, 2))
        direction = preconditioned + np.divide(
            slope, last, out=np.zeros_like(slope), where=last > 0
        )[:, None, None] * direction
    raise RuntimeError(f"the Wiener filter did not converge in {MAX_ITERATIONS} steps; give a larger tolerance")
