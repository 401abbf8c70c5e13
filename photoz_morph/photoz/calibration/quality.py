"""Quality of a prediction as a bit mask, and the distance of a galaxy from those the networks know.

A wide PDF, one with several peaks, a stamp with a blank band, bad pixels or the edge of a frame in it, and a galaxy
unlike those of the training set each set a bit of the column `quality`; 0 is a galaxy without any remark. The bits say
nothing about `flag`, which marks galaxies without a PDF.
"""

from dataclasses import dataclass

import numpy as np

BITS = {
    "wide": 1, "multimodal": 2, "out_of_distribution": 4, "blank_band": 8, "bad_pixels": 16, "frame_edge": 32,
    "no_pdf": 64,
}  # fmt: skip
MEANINGS = {
    "wide": "the 68 % interval of the PDF is wider than that of 95 % of the validation galaxies",
    "multimodal": "the PDF has a second peak that stands out by 0.2 of the first",
    "out_of_distribution": "ood_score above 1: unlike the training galaxies in latent space",
    "blank_band": "a band is constant, or more than half of its pixels are 0",
    "bad_pixels": "a pixel is not finite",
    "frame_edge": "the outermost row or column of pixels of a band is constant",
    "no_pdf": "no PDF",
}
WIDE_QUANTILE = 0.95  # of the validation galaxies; our choice
OOD_QUANTILE = 0.99  # likewise
PEAK_HEIGHT = 0.2  # of a second peak above the valley before it, in units of the first; our choice
BLANK_SHARE = 0.5  # of the pixels of a band that are exactly 0
N_COMPONENTS = 16  # of the latents whose variance is measured one by one; our choice
MIN_COMPONENTS_SHARE = 5  # galaxies for each component


@dataclass(frozen=True)
class LatentDistance:
    """Mahalanobis distance of the latents of one network to those of its training galaxies.

    Attributes
    ----------
    mean : ndarray, shape (n_latent,)
    axes : ndarray, shape (n_latent, n_components)
        Orthonormal directions of the largest variance.
    excess : ndarray, shape (n_components,)
        1 / variance along each minus `rest`.
    rest : float
        1 / variance along every other direction.

    Notes
    -----
    The covariance is that of probabilistic principal components (Tipping & Bishop 1999), which a thousand galaxies
    constrain in a space of as many dimensions.
    """

    mean: np.ndarray
    axes: np.ndarray
    excess: np.ndarray
    rest: float

    def of(self, latent):
        """Distance in units of that expected for a training galaxy, shape (n,)."""
        offset = np.asarray(latent, float) - self.mean
        squares = self.rest * np.sum(offset**2, axis=1) + (offset @ self.axes) ** 2 @ self.excess
        return np.sqrt(np.maximum(squares, 0) / len(self.mean))


def fit_latent_distance(latent):
    """Distance to some galaxies.

    Parameters
    ----------
    latent : ndarray, shape (n, n_latent)

    Returns
    -------
    LatentDistance

    Raises
    ------
    ValueError
        If there are fewer than two galaxies, or their latents are all the same.
    """
    latent = np.asarray(latent, float)
    n, n_latent = latent.shape
    if n < 2 or np.ptp(latent, axis=0).max() == 0:
        raise ValueError(f"the latents of {n} training galaxies are all the same; the network has not learned")
    mean = latent.mean(axis=0)
    _, singular, axes = np.linalg.svd(latent - mean, full_matrices=False)
    variance = singular**2 / (n - 1)
    n_components = max(1, min(N_COMPONENTS, n // MIN_COMPONENTS_SHARE, n_latent // 2))
    # Where all variance lies along few directions, a tiny one along the rest would make any new galaxy infinitely far.
    rest = max(variance[n_components:].sum() / max(n_latent - n_components, 1), 1e-4 * variance[n_components - 1])
    kept = np.maximum(variance[:n_components], rest)
    return LatentDistance(mean, axes[:n_components].T.copy(), 1 / kept - 1 / rest, float(1 / rest))


@dataclass(frozen=True)
class QualityLimits:
    """What the bits of a fold's galaxies are measured by.

    Attributes
    ----------
    width : float
        Width of the 68 % interval [redshift].
    smoothing : float
        Standard deviation of the Gaussian that PDFs are smoothed with before their peaks are counted [redshift].
    ood : float
        Distance of the latents, mean over the members, in units of which `ood_score` is.
    distances : tuple of LatentDistance
        Of each member.
    """

    width: float
    smoothing: float
    ood: float
    distances: tuple

    def ood_score(self, latents):
        """Distance of the latents from those of the training galaxies; 1 is the stated quantile of validation galaxies.

        Parameters
        ----------
        latents : sequence of ndarray, shape (n, n_latent)
            Of each member.

        Returns
        -------
        ndarray, shape (n,)
        """
        return np.mean([one.of(latent) for one, latent in zip(self.distances, latents)], axis=0) / self.ood

    def bits(self, pdf, ood_score, grid):
        """Bits of PDFs and their latents, shape (n,), int32; that of no PDF where one is not finite."""
        has_pdf = np.isfinite(pdf).all(axis=1)
        bits = np.where(has_pdf, 0, BITS["no_pdf"]).astype(np.int32)
        known = np.where(has_pdf[:, None], pdf, 1 / grid.n_bins)
        width = grid.quantile(known, 0.84) - grid.quantile(known, 0.16)
        bits |= BITS["wide"] * (has_pdf & (width > self.width)).astype(np.int32)
        peak = second_peak(known, smoothing_matrix(grid, self.smoothing))
        bits |= BITS["multimodal"] * (has_pdf & (peak > PEAK_HEIGHT)).astype(np.int32)
        return bits | BITS["out_of_distribution"] * (has_pdf & (ood_score > 1)).astype(np.int32)


def fit_latent_limit(latents, training_latents):
    """Distances of the networks of an ensemble, and the limit beyond which a galaxy is unlike those of the training.

    Parameters
    ----------
    latents : sequence of ndarray, shape (n, n_latent)
        Of validation galaxies, for each member.
    training_latents : sequence of ndarray, shape (n_training, n_latent)

    Returns
    -------
    distances : tuple of LatentDistance
    limit : float
    """
    distances = tuple(fit_latent_distance(latent) for latent in training_latents)
    mean = np.mean([one.of(latent) for one, latent in zip(distances, latents)], axis=0)
    return distances, float(np.quantile(mean, OOD_QUANTILE))


def fit_quality_limits(pdf, distances, ood, grid):
    """Limits from the calibrated PDFs of validation galaxies, shape (n, n_bins), and those of `fit_latent_limit`."""
    width = grid.quantile(pdf, 0.84) - grid.quantile(pdf, 0.16)
    smoothing = float(np.median(width)) / 4  # half the standard deviation of a typical PDF
    return QualityLimits(float(np.quantile(width, WIDE_QUANTILE)), smoothing, ood, distances)


def smoothing_matrix(grid, sigma):
    """Matrix that smooths PDFs by a Gaussian, shape (n_bins, n_bins); columns sum to one."""
    offset = (grid.midpoints - grid.midpoints[:, None]) / max(sigma, grid.width / 4)
    weights = np.exp(-0.5 * offset**2)
    return weights / weights.sum(axis=0)


def second_peak(pdf, smoothing):
    """Height of the second peak of smoothed PDFs above the valley between it and the first.

    Parameters
    ----------
    pdf : ndarray, shape (n, n_bins)
    smoothing : ndarray, shape (n_bins, n_bins)
        From `smoothing_matrix`.

    Returns
    -------
    ndarray, shape (n,)
        In units of the height of the first; 0 for a single peak.
    """
    smooth = np.asarray(pdf) @ smoothing
    left = np.maximum.accumulate(smooth, axis=1)
    right = np.maximum.accumulate(smooth[:, ::-1], axis=1)[:, ::-1]
    return np.max(np.minimum(left, right) - smooth, axis=1) / np.max(smooth, axis=1)


def pixel_bits(images):
    """Bits of stamps, shape (n,), int32.

    Parameters
    ----------
    images : ndarray, shape (n, size, size, n_bands)
    """
    images = np.asarray(images)
    bad = ~np.isfinite(images).all(axis=(1, 2, 3))
    blank = _is_constant(images, (1, 2)) | ((images == 0).mean(axis=(1, 2)) > BLANK_SHARE)
    edges = [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]]
    at_edge = np.any([_is_constant(line, 1) for line in edges], axis=0) & ~blank
    bits = BITS["bad_pixels"] * bad + BITS["blank_band"] * blank.any(axis=1) + BITS["frame_edge"] * at_edge.any(axis=1)
    return bits.astype(np.int32)


def _is_constant(values, axes):
    """True where all values along some axes are the same finite number."""
    highest = values.max(axis=axes)
    return (highest == values.min(axis=axes)) & np.isfinite(highest)
