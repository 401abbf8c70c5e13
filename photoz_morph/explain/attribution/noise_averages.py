"""SmoothGrad, SquareGrad and VarGrad: mean, mean square and variance of the gradient over noise on the inputs.

The noise is that of the sky, in each band, times a factor: what another night's image of the galaxy would show.
"""

import numpy as np

from photoz_morph.explain.attribution.copies import gradient_sums
from photoz_morph.explain.gradients import named, unnamed


def smooth_grad(score, inputs, noise, n_samples=50, seed=0):
    """Mean gradient over noise on the inputs.

    Parameters
    ----------
    score : Score
    inputs : ndarray or dict of ndarray
    noise : float, ndarray or dict of these
        Standard deviation of the noise [unit of the input]: for an image a number or shape (n, n_bands) or (n_bands,),
        such as `sky.measure_sky` gives. Inputs that a dictionary leaves out get none.
    n_samples : int
    seed : int

    Returns
    -------
    ndarray or dict of ndarray
        Of the form of the inputs [target per unit of the input].

    Notes
    -----
    Smilkov et al. (2017, arXiv 1706.03825).
    """
    return _averages(score, inputs, noise, n_samples, seed, (1,), lambda mean: mean)


def square_grad(score, inputs, noise, n_samples=50, seed=0):
    """Mean square of the gradient over noise on the inputs, see `smooth_grad`.

    Notes
    -----
    Hooker et al. (2019, arXiv 1806.10758), Sec. 3.
    """
    return _averages(score, inputs, noise, n_samples, seed, (2,), lambda mean_square: mean_square)


def var_grad(score, inputs, noise, n_samples=50, seed=0):
    """Variance of the gradient over noise on the inputs, see `smooth_grad`.

    Notes
    -----
    Adebayo et al. (2018, arXiv 1810.03292), Appendix B. Divided by the number of samples.
    """

    def variance(mean, mean_square):
        return np.maximum(mean_square - mean**2, 0)

    return _averages(score, inputs, noise, n_samples, seed, (1, 2), variance)


def _averages(score, inputs, noise, n_samples, seed, powers, combine):
    """Means of powers of the gradient over noise, combined to one array for each input."""
    given = named(inputs)
    sigmas = {name: _per_galaxy(given[name], sigma) for name, sigma in named(noise).items()}

    def noisy(galaxies, copies):
        rows = {name: np.array(given[name][galaxies], np.float32) for name in sigmas}
        for row, (galaxy, copy) in enumerate(zip(galaxies, copies)):
            # Noise of a copy does not depend on the batch it is in.
            rng = np.random.default_rng([seed, galaxy, copy])
            for name, sigma in sigmas.items():
                rows[name][row] += sigma[galaxy] * rng.standard_normal(np.shape(rows[name][row]))
        return rows

    means = gradient_sums(score, inputs, n_samples, noisy, powers)
    return unnamed({name: combine(*(mean[name] for mean in means)) for name in given}, inputs)


def _per_galaxy(values, sigma):
    """Standard deviations for each galaxy, which multiply its input."""
    sigma = np.asarray(sigma, np.float32)
    n, extra = len(values), np.ndim(values) - 1
    if sigma.ndim == 2:
        return sigma.reshape(n, *[1] * (extra - 1), -1)
    return np.broadcast_to(sigma, (n, *sigma.shape))
