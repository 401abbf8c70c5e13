"""Integrated gradients (Sundararajan et al. 2017), and over several baselines expected gradients (Erion et al. 2021).

The gradient is integrated along the straight line from a baseline, such as the stamp without the galaxy at E(B-V) 0, to
the galaxy. The attributions of all pixels, bands and scalar inputs add up to the difference of the target between both:
they are complete.
"""

import numpy as np

from photoz_morph.explain.attribution.copies import gradient_sums
from photoz_morph.explain.gradients import named, unnamed


def integrated_gradients(score, inputs, baselines, n_steps=50):
    """Integrated gradients from one baseline, or their mean over several.

    Parameters
    ----------
    score : Score
    inputs : ndarray or dict of ndarray
    baselines : ndarray, dict of ndarray, or list of these
        From `sky.baseline`. Inputs that a dictionary leaves out are not attributed: they stay those of the galaxy.
    n_steps : int
        Nodes of the Gauss-Legendre quadrature.

    Returns
    -------
    ndarray or dict of ndarray
        Of the form of a baseline [target].

    Notes
    -----
    Sundararajan et al. (2017, arXiv 1703.01365), Eq. 1. Erion et al. (2021, arXiv 1906.10670), Eq. 3, draw baseline and
    position on the line at random; here the integral is taken for each baseline.
    """
    given, starts = named(inputs), _listed(baselines)
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    alphas, weights = (nodes + 1) / 2, weights / 2
    total = {name: 0.0 for name in starts[0]}
    for start in starts:

        def on_the_line(galaxies, copies, start=start):
            rows = {}
            for name, values in start.items():
                alpha = alphas[copies].reshape(-1, *[1] * (np.ndim(values) - 1)).astype(np.float32)
                rows[name] = values[galaxies] + alpha * (given[name][galaxies] - values[galaxies])
            return rows

        (mean,) = gradient_sums(score, inputs, n_steps, on_the_line, weights=weights)
        for name in total:
            total[name] = total[name] + mean[name] * (given[name] - start[name]) / len(starts)
    return unnamed(total, inputs)


def completeness_error(score, inputs, baselines, attribution):
    """Sum of the attributions of all inputs, less the change of the target that they are to explain.

    Parameters
    ----------
    score : Score
    inputs : ndarray or dict of ndarray
    baselines : ndarray, dict of ndarray, or list of these
        From which the attribution was computed.
    attribution : ndarray or dict of ndarray

    Returns
    -------
    error, change : ndarray, shape (n,)
        The change is that of the target from the baseline, or from the mean of the baselines, to the galaxy [target].
    """
    given, starts = named(inputs), _listed(baselines)
    from_baselines = [score(unnamed({**given, **start}, inputs)) for start in starts]
    change = score(inputs) - np.mean(from_baselines, axis=0)
    explained = sum(np.sum(values.reshape(len(values), -1), axis=1) for values in named(attribution).values())
    return explained - change, change


def _listed(baselines):
    """Baselines by name, as a list."""
    return [named(start) for start in (baselines if isinstance(baselines, (list, tuple)) else [baselines])]
