"""Saliency (Simonyan et al. 2014) and gradient times input: what an infinitely small change of the inputs does."""

import numpy as np

from photoz_morph.explain.gradients import named, unnamed


def saliency(score, inputs):
    """Absolute gradient of the target with respect to each input.

    Parameters
    ----------
    score : Score
    inputs : ndarray or dict of ndarray

    Returns
    -------
    ndarray or dict of ndarray
        Of the form of the inputs [target per unit of the input]. Nothing is summed over bands;
        `sky.per_sky_sigma` gives the change per sigma of the sky.

    Notes
    -----
    Simonyan et al. (2014, arXiv 1312.6034), Sec. 3, who take the maximum over the colours.
    """
    _, gradient = score.value_and_gradient(inputs)
    return unnamed({name: np.abs(values) for name, values in named(gradient).items()}, inputs)


def gradient_times_input(score, inputs, baseline=None):
    """Gradient times the input, or times its difference from a baseline: the first term of a Taylor series.

    Parameters
    ----------
    score : Score
    inputs : ndarray or dict of ndarray
    baseline : ndarray or dict of ndarray, optional
        From `sky.baseline`; without one, zero for every input.

    Returns
    -------
    ndarray or dict of ndarray
        Of the form of the baseline, or of the inputs [target].

    Notes
    -----
    Shrikumar et al. (2017, arXiv 1605.01713).
    """
    given, starts = named(inputs), {} if baseline is None else named(baseline)
    gradient = named(score.value_and_gradient(inputs)[1])
    names = starts or given
    return unnamed({name: gradient[name] * (given[name] - starts.get(name, 0)) for name in names}, inputs)
