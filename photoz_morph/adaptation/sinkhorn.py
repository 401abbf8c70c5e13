"""Sinkhorn divergence (Feydy et al. 2019, AISTATS; arXiv 1810.08278), the loss of SIDDA, between the latents.

Optimal transport blurred by an entropy, less that of each domain with itself, so that it is 0 for equal samples. The
blur follows the latents as in SIDDA (Pandya et al. 2025, arXiv 2501.14048): 0.05 of the largest distance in the batch.
The learnable weights of SIDDA are in `adaptation.weighting`.
"""

import numpy as np
from keras import ops

from photoz_morph.adaptation.mmd import squared_distances

BLUR, MIN_BLUR = 0.05, 0.01  # SIDDA: fraction of the largest distance between two latents, and the least blur
N_ANNEALED, N_FINAL = 8, 12  # our choice: iterations from the largest distance down to the blur, and at the blur


def sinkhorn_loss():
    """Adaptation loss: Sinkhorn divergence between the latents of source and target.

    Returns
    -------
    callable
        See `adaptation.losses`.
    """
    return lambda source, target, labels: sinkhorn_divergence(source["latent"], target["latent"])


def sinkhorn_divergence(source, target, blur=None):
    """Debiased entropic transport cost under the cost |x - y|^2 / 2.

    Parameters
    ----------
    source : tensor, shape (n, n_latent)
    target : tensor, shape (m, n_latent)
    blur : float, optional
        Length below which latents are not told apart, the square root of epsilon; by default as in SIDDA.

    Returns
    -------
    scalar tensor, float32
        0 for equal samples; half the squared shift, for a shift of all latents.

    Notes
    -----
    Feydy et al. (2019), Eq. 3 and Algorithm 1: symmetric, averaged updates of the potentials, here with epsilon
    lowered step by step, as in their geomloss. The gradient is that of the iterations themselves.
    """
    n = ops.shape(source)[0]
    cost = squared_distances(source, target) / 2
    largest = ops.stop_gradient(ops.sqrt(2 * ops.max(cost)))
    blur = ops.maximum(BLUR * largest, MIN_BLUR) if blur is None else ops.convert_to_tensor(blur, "float32")
    blocks = cost[:n, n:], cost[n:, :n], cost[:n, :n], cost[n:, n:]
    logs = [-ops.log(ops.cast(ops.shape(block)[1], "float32")) for block in blocks]
    factors = np.concatenate([np.linspace(1, 0, N_ANNEALED + 1), np.zeros(N_FINAL)])
    ratio = ops.maximum(largest / blur, 1.0)
    potentials = [0.0] * 4
    for step, factor in enumerate(factors):
        epsilon = blur**2 * ratio ** (2 * factor)
        updated = _updated(potentials, blocks, logs, epsilon)
        potentials = [(old + new) / 2 for old, new in zip(potentials, updated)] if step else updated
    of_source, of_target, source_alone, target_alone = _updated(potentials, blocks, logs, blur**2)
    return ops.mean(of_source - source_alone) + ops.mean(of_target - target_alone)


def _updated(potentials, blocks, logs, epsilon):
    """Soft minima of cost less opposite potential, for source, target, and each with itself."""
    of_source, of_target, source_alone, target_alone = potentials
    opposite = of_target, of_source, source_alone, target_alone
    return [
        -epsilon * ops.logsumexp(log + (potential - block) / epsilon, axis=1)
        for potential, block, log in zip(opposite, blocks, logs)
    ]
