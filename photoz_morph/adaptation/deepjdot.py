"""DeepJDOT (Damodaran et al. 2018, ECCV; arXiv 1803.10081): optimal transport of latents and labels together.

Every source galaxy is matched to a target galaxy at the least total cost of distance in latent space and wrong class.
The matching of a batch is exact, found by SciPy outside the graph; the loss is differentiated at a fixed matching, as
in the paper, which is the derivative of the least cost wherever it has one.
"""

import keras
import numpy as np
from keras import ops
from scipy.optimize import linear_sum_assignment

from photoz_morph.adaptation.mmd import squared_distances


def deepjdot_loss(jdot_distance=1e-3):
    """Adaptation loss: cost of the optimal matching of source and target.

    Parameters
    ----------
    jdot_distance : float
        Weight of the squared distance of latents against the cross-entropy; alpha of the paper, whose value is the
        default.

    Returns
    -------
    callable
        See `adaptation.losses`.
    """
    return lambda source, target, labels: transport_cost(
        joint_cost(source["latent"], target["latent"], labels, target["logits"], jdot_distance)
    )


def joint_cost(source, target, labels, logits, distance_weight):
    """Cost of matching each source with each target galaxy.

    Parameters
    ----------
    source, target : tensor, shape (n, n_latent)
        Latents.
    labels : tensor, shape (n,)
        Classes of the source.
    logits : tensor, shape (n, n_classes)
        Of the target.
    distance_weight : float

    Returns
    -------
    tensor, shape (n, n)
        Source by target: distance_weight |x_i - x_j|^2 - log p_j(y_i).

    Notes
    -----
    Damodaran et al. (2018), Eq. 5 and 6, with lambda_t 1.
    """
    n = ops.shape(source)[0]
    distances = squared_distances(source, target)[:n, n:]
    log_probability = ops.log_softmax(ops.cast(logits, "float32"))
    return distance_weight * distances - ops.transpose(ops.take(log_probability, ops.cast(labels, "int32"), axis=1))


def transport_cost(cost):
    """Least mean cost of a matching; its gradient is that at the fixed matching.

    Parameters
    ----------
    cost : tensor, shape (n, n)

    Returns
    -------
    scalar tensor
    """
    return ops.sum(ops.stop_gradient(optimal_plan(ops.stop_gradient(cost))) * cost)


def optimal_plan(cost):
    """Exact optimal transport between two sets of equal weights: 1 / n where matched, else 0.

    Parameters
    ----------
    cost : tensor, shape (n, n)

    Returns
    -------
    tensor, shape (n, n), float32
        NaN if a cost is not finite.
    """
    if keras.backend.backend() == "jax":
        import jax

        return jax.pure_callback(_plan, jax.ShapeDtypeStruct(cost.shape, np.float32), cost)
    import tensorflow as tf

    plan = tf.numpy_function(_plan, [cost], tf.float32, stateful=False)
    return tf.ensure_shape(plan, cost.shape)


def _plan(cost):
    cost = np.asarray(cost)
    if not np.all(np.isfinite(cost)):  # the training loop then names the batch
        return np.full(cost.shape, np.nan, np.float32)
    plan = np.zeros(cost.shape, np.float32)
    plan[linear_sum_assignment(cost)] = 1 / len(cost)
    return plan
