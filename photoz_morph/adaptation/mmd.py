"""Maximum mean discrepancy (Gretton et al. 2012, JMLR 13, 723) between the latents of two domains, in keras.ops.

Two estimators by name. `median`, the default: unbiased, five Gaussians of 1/4 to 4 times the median squared distance,
averaged, so it is zero on average for equal distributions and invariant under a scaling of all latents.
`paper`: as coded in DeepAdversaries (arXiv 2111.00961), biased, a sum of 19 Gaussians of fixed widths; at equal
distributions it stays near 0.1 to 0.2 for batches of 128, most of it the diagonal of kernels narrower than any
distance. Both are MMD squared.
"""

from keras import ops

# s of k = sum over s of exp(-d^2 / 2 s): variances, in the code of DeepAdversaries and DeepMerge II.
PAPER_VARIANCES = (
    1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 100.0, 1e3, 1e4, 1e5, 1e6,
)  # fmt: skip
PAPER_FLOOR = 1e-4  # same code: the loss is at least this and then has no gradient
MEDIAN_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)  # our choice


def maximum_mean_discrepancy(source, target, variances, unbiased):
    """Squared discrepancy under the kernel k(x, y) = sum over s of exp(-|x - y|^2 / 2 s).

    Parameters
    ----------
    source : tensor, shape (n, n_latent)
    target : tensor, shape (m, n_latent)
    variances : sequence of float or scalar tensor
        The s.
    unbiased : bool
        The U-statistic, which leaves out each latent's kernel with itself, or the V-statistic, which is never negative.

    Returns
    -------
    scalar tensor, float32
    """
    return _discrepancy(squared_distances(source, target), ops.shape(source)[0], variances, unbiased)


def paper_mmd(source, target):
    """The loss of DeepAdversaries: V-statistic of 19 fixed Gaussians, with its floor."""
    return ops.maximum(maximum_mean_discrepancy(source, target, PAPER_VARIANCES, unbiased=False), PAPER_FLOOR)


def median_mmd(source, target):
    """U-statistic of five Gaussians about the median squared distance of the batch, averaged."""
    distances = squared_distances(source, target)
    variances = median_variances(distances)
    return _discrepancy(distances, ops.shape(source)[0], variances, unbiased=True) / len(MEDIAN_FACTORS)


def median_variances(distances):
    """The s of five Gaussians about the median of the distances between different latents, scalars without gradient.

    Parameters
    ----------
    distances : tensor, shape (n, n)
        From `squared_distances`.
    """
    # Without stop_gradient the widths would follow the latents, and scaling these up would look like adaptation.
    scale = ops.stop_gradient(ops.maximum(_off_diagonal_median(distances), 1e-12))
    return [factor * scale for factor in MEDIAN_FACTORS]


ESTIMATORS = {"median": median_mmd, "paper": paper_mmd}


def mmd_loss(estimator="median"):
    """Adaptation loss: squared MMD between the latents of source and target.

    Parameters
    ----------
    estimator : {"median", "paper"}

    Returns
    -------
    callable
        See `adaptation.losses`.

    Raises
    ------
    ValueError
        If there is no such estimator.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"no MMD estimator {estimator!r}; there are {', '.join(ESTIMATORS)}")
    return lambda source, target, labels: ESTIMATORS[estimator](source["latent"], target["latent"])


def squared_distances(source, target):
    """Squared distances among the latents of both domains together.

    Parameters
    ----------
    source : tensor, shape (n, n_latent)
    target : tensor, shape (m, n_latent)

    Returns
    -------
    tensor, shape (n + m, n + m), float32
        Source first; the diagonal is exactly 0.

    Notes
    -----
    As |a|^2 + |b|^2 - 2 a.b, since all differences at once take n_latent times the memory. About their mean the
    latents are no longer than the distances, which keeps the digits, also where a GPU multiplies in TF32.
    """
    latents = ops.cast(ops.concatenate([source, target], axis=0), "float32")
    latents = latents - ops.stop_gradient(ops.mean(latents, axis=0))
    norms = ops.sum(ops.square(latents), axis=1)
    products = ops.matmul(latents, ops.transpose(latents))
    distances = ops.maximum(norms[:, None] + norms[None, :] - 2 * products, 0.0)
    # Rounding leaves the diagonal about 1e-6 |a|^2, which is not narrow for the narrowest kernels.
    return distances * (1 - ops.eye(ops.shape(latents)[0], dtype="float32"))


def _discrepancy(distances, n_source, variances, unbiased):
    """The statistic, from the distances of both domains together."""
    kernel = sum(ops.exp(-distances / (2 * variance)) for variance in variances)
    blocks = kernel[:n_source, :n_source], kernel[n_source:, n_source:]
    own = sum(_mean_kernel(block, len(variances), unbiased) for block in blocks)
    return own - 2 * ops.mean(kernel[:n_source, n_source:])


def _mean_kernel(block, n_kernels, unbiased):
    """Mean of k over the pairs of one domain, each latent with itself left out or not."""
    if not unbiased:
        return ops.mean(block)
    n = ops.cast(ops.shape(block)[0], "float32")
    return (ops.sum(block) - n * n_kernels) / (n * (n - 1))  # k(x, x) is 1 for each Gaussian


def _off_diagonal_median(distances):
    """Median of the distances between different latents; in order, the zeros of the diagonal come first."""
    n = ops.shape(distances)[0]
    ordered = ops.sort(ops.reshape(distances, (-1,)))
    middle = n + n * (n - 1) // 2
    return (ordered[middle - 1] + ordered[middle]) / 2
