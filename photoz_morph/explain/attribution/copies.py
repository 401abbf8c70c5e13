"""Sums of gradients over changed copies of each galaxy, in full batches whatever the number of copies."""

import numpy as np

from photoz_morph.explain.gradients import named


def gradient_sums(score, inputs, n_copies, changed, powers=(1,), weights=None):
    """Weighted sums, over the copies of a galaxy, of powers of the gradient.

    Parameters
    ----------
    score : Score
    inputs : ndarray or dict of ndarray
    n_copies : int
        Of each galaxy.
    changed : callable
        (galaxies, copies), the numbers of some rows, to the inputs of these rows by name; inputs it leaves out stay.
    powers : sequence of int
    weights : ndarray, shape (n_copies,), optional
        By default 1 / n_copies, so that sums are means.

    Returns
    -------
    list of dict of ndarray
        One for each power, by name of the input.
    """
    inputs = named(inputs)
    n = len(next(iter(inputs.values())))
    weights = np.full(n_copies, 1 / n_copies) if weights is None else np.asarray(weights)
    sums = [{name: np.zeros(np.shape(values), np.float64) for name, values in inputs.items()} for _ in powers]
    for start in range(0, n * n_copies, score.batch_size):
        galaxies, copies = np.divmod(np.arange(start, min(start + score.batch_size, n * n_copies)), n_copies)
        rows = {name: np.asarray(values)[galaxies] for name, values in inputs.items()} | changed(galaxies, copies)
        gradient = named(score.value_and_gradient(rows, galaxies)[1])
        present, first = np.unique(galaxies, return_index=True)
        for total, power in zip(sums, powers):
            for name, values in gradient.items():
                weighted = weights[copies].reshape(-1, *[1] * (values.ndim - 1)) * values.astype(np.float64) ** power
                total[name][present] += np.add.reduceat(weighted, first, axis=0)
    return sums
