"""Scores of deblended sources: errors of flux, colour and shape, and the coverage of samples.

Errors have one value per source, NaN where there is nothing to compare, such as a source that was not found;
`binned_errors` summarises them in bins of blendedness or magnitude, with intervals over images. `sample_intervals` and
`coverage_terms` tell how often the truth lies in the central interval of samples, of a flux or of each pixel.
"""

import numpy as np

from photoz_morph.metrics.bootstrap import bootstrap_scores
from photoz_morph.metrics.completeness import bin_number, ratio
from photoz_morph.metrics.group_errors import INTERVAL, group_bootstrap
from photoz_morph.metrics.redshifts.point_scores import sigma_mad

MAX_ITERATIONS = 400  # of the adaptive moments, as in GalSim's `hsm.HSMParams`
CONVERGED = 1e-6  # of their size squared, relative, and of the centre in units of the size; likewise
STATISTICS = {
    "median": lambda errors: np.median(errors, axis=-1),
    "median_absolute": lambda errors: np.median(np.abs(errors), axis=-1),
    "mean_absolute": lambda errors: np.mean(np.abs(errors), axis=-1),
    "sigma_mad": sigma_mad,
}


def flux_errors(true_flux, flux):
    """Relative errors of fluxes, (flux - true_flux) / true_flux.

    Parameters
    ----------
    true_flux, flux : ndarray, shape (..., n_bands)
        In any linear unit.

    Returns
    -------
    ndarray, shape (..., n_bands)
        NaN where the true flux is not positive. Boucaud et al. (2020), Sec. 4.2, quote the mean of their absolute
        values.
    """
    true_flux, flux = np.asarray(true_flux, float), np.asarray(flux, float)
    return np.divide(flux - true_flux, true_flux, out=np.full(true_flux.shape, np.nan), where=true_flux > 0)


def colour_errors(true_flux, flux):
    """Errors of the colours of neighbouring bands [mag].

    Parameters
    ----------
    true_flux, flux : ndarray, shape (..., n_bands)

    Returns
    -------
    ndarray, shape (..., n_bands - 1)
        Positive where the source appears too red, with the bands in the order of their wavelengths. NaN where a flux is
        not positive.
    """
    ratios = [np.asarray(values, float) for values in (flux, true_flux)]
    with np.errstate(divide="ignore", invalid="ignore"):
        magnitudes = [-2.5 * np.log10(np.where(values > 0, values, np.nan)) for values in ratios]
    measured, true = (values[..., :-1] - values[..., 1:] for values in magnitudes)
    return measured - true


def adaptive_moments(image, y, x, start=2.0):
    """Centre, size and ellipticity of a source from moments weighted by the Gaussian that fits them.

    Parameters
    ----------
    image : ndarray, shape (height, width)
        Of one source and one band, sky subtracted.
    y, x : float
        First guess of its centre [pixel].
    start : float
        First guess of its size [pixel].

    Returns
    -------
    ndarray, shape (5,)
        y, x [pixel]; size det(M)^(1/4) [pixel]; e1 = (Mxx - Myy) / (Mxx + Myy), e2 = 2 Mxy / (Mxx + Myy). All NaN where
        the iteration finds no such Gaussian, as in noise or for half a source.

    Notes
    -----
    Bernstein & Jarvis (2002), Sec. 3.1; Hirata & Seljak (2003), App. C. Without weights the noise far out would
    dominate. Not corrected for the PSF: truth and estimate are seen through the same.
    """
    failed = np.full(5, np.nan)
    image = np.asarray(image, float)
    rows, columns = (np.arange(n, dtype=float) for n in image.shape)
    centre, moments = np.array([x, y], float), np.eye(2) * start**2
    if not np.isfinite(image).all():
        return failed
    for _ in range(MAX_ITERATIONS):
        determinant = moments[0, 0] * moments[1, 1] - moments[0, 1] ** 2
        if not (determinant > 0 and moments[0, 0] > 0 and np.trace(moments) < np.sum(np.square(image.shape))):
            return failed
        inverse = np.array([[moments[1, 1], -moments[0, 1]], [-moments[0, 1], moments[0, 0]]]) / determinant
        dx, dy = columns - centre[0], rows - centre[1]
        exponent = (
            inverse[0, 0] * dx**2 + (2 * inverse[0, 1] * dy)[:, None] * dx + (inverse[1, 1] * dy**2)[:, None]
        )
        weighted = image * np.exp(-0.5 * exponent)
        total = weighted.sum()
        if total <= 0:
            return failed
        along_x, along_y = weighted.sum(axis=0), weighted.sum(axis=1)
        shift = 2 * np.array([along_x @ dx, along_y @ dy]) / total
        xy = dy @ weighted @ dx
        # Under a Gaussian weight of its own shape a Gaussian has half its moments.
        new = 2 * np.array([[along_x @ dx**2, xy], [xy, along_y @ dy**2]]) / total
        size2 = np.sqrt(determinant)
        done = max(np.abs(shift).max() / np.sqrt(size2), np.abs(new - moments).max() / size2) < CONVERGED
        centre, moments = centre + shift, new
        if not (0 <= centre[0] <= image.shape[1] - 1 and 0 <= centre[1] <= image.shape[0] - 1):
            return failed
        if done:
            trace, difference = moments[0, 0] + moments[1, 1], moments[0, 0] - moments[1, 1]
            size = np.linalg.det(moments) ** 0.25
            return np.array([centre[1], centre[0], size, difference / trace, 2 * moments[0, 1] / trace])
    return failed


def shape_errors(true_images, images, y, x):
    """Errors of size and ellipticity of deblended sources.

    Parameters
    ----------
    true_images, images : sequence of ndarray, shape (height, width)
        Each source alone in one band, on the same pixels.
    y, x : ndarray, shape (n,)
        True positions in these images [pixel].

    Returns
    -------
    ndarray, shape (n, 3)
        Relative error of the size, and errors of e1 and e2 (`adaptive_moments`); NaN where either has none.
    """
    true, measured = (
        np.reshape([adaptive_moments(image, *centre)[2:] for image, *centre in zip(stamps, y, x)], (-1, 3))
        for stamps in (true_images, images)
    )
    return np.concatenate([measured[:, :1] / true[:, :1] - 1, measured[:, 1:] - true[:, 1:]], axis=1)


def binned_errors(errors, values, edges, image, n_resamples=1000, seed=0):
    """Median, scatter and mean of errors in bins, with 95 % intervals from resampled images.

    Parameters
    ----------
    errors : ndarray, shape (n,)
        Of sources; NaN are counted as missing.
    values : ndarray, shape (n,)
        Such as their blendedness.
    edges : ndarray, shape (n_bins + 1,)
        Bins as of `completeness.bin_number`.
    image : ndarray, shape (n,)
        Image of each source: those of one image are resampled together.
    n_resamples, seed : int

    Returns
    -------
    list of dict
        For each bin `n`, `n_missing`, and the scores of `STATISTICS` as [value, lower, upper]: median (the bias),
        median_absolute, mean_absolute and sigma_mad; NaN for an empty bin, and intervals of NaN for one image.
    """
    errors, image, number = np.asarray(errors, float), np.asarray(image), bin_number(values, edges)
    rows = []
    for index in range(len(edges) - 1):
        inside = (number == index) & np.isfinite(errors)
        row = {"n": int(inside.sum()), "n_missing": int(((number == index) & ~np.isfinite(errors)).sum())}
        kept, images = errors[inside], image[inside]
        ends = {name: [np.nan, np.nan] for name in STATISTICS}
        if len(np.unique(images)) > 1:
            scores = {name: ("errors", function) for name, function in STATISTICS.items()}
            resampled = bootstrap_scores(scores, {"errors": kept}, n_resamples, seed, images)
            ends = {name: np.quantile(sample, _ends(INTERVAL)).tolist() for name, sample in resampled.items()}
        for name, function in STATISTICS.items():
            row[name] = [float(function(kept[None])[0]) if len(kept) else np.nan, *ends[name]]
        rows.append(row)
    return rows


def sample_intervals(samples, levels):
    """Central intervals of samples.

    Parameters
    ----------
    samples : ndarray, shape (n_samples, n)
        Of each quantity, such as the flux of a source or a pixel.
    levels : ndarray, shape (n_levels,)
        Probabilities between 0 and 1.

    Returns
    -------
    low, high : ndarray, shape (n_levels, n)

    Raises
    ------
    ValueError
        If a level needs more samples: those of n_samples tell (n_samples - 1) / (n_samples + 1) at most.

    Notes
    -----
    Quantile p lies at rank p (n_samples + 1), so that a truth drawn like the samples is inside with the probability
    stated, however few they are (to 0.02 for ranks between two of ten samples); NumPy's default makes intervals too
    narrow.
    """
    samples, levels = np.asarray(samples, float), np.asarray(levels, float)
    n = len(samples)
    if (levels > (n - 1) / (n + 1) * (1 + 1e-9)).any() or (levels <= 0).any():
        raise ValueError(
            f"{n} samples tell intervals of up to {(n - 1) / (n + 1):.3g}, asked for {levels.max():g}; draw more, "
            "or leave that level out"
        )
    low, high = _ends(levels)
    # A level that is just possible must not fall below the first rank by rounding.
    low, high = np.maximum(low, 1 / (n + 1)), np.minimum(high, n / (n + 1))
    return np.quantile(samples, low, axis=0, method="weibull"), np.quantile(samples, high, axis=0, method="weibull")


def coverage_terms(truth, low, high):
    """Number of values of an image within their intervals, and of values.

    Parameters
    ----------
    truth : ndarray, shape (n,)
        NaN are left out.
    low, high : ndarray, shape (n_levels, n)

    Returns
    -------
    ndarray, shape (n_levels, 2)
    """
    truth = np.asarray(truth, float)
    known = np.isfinite(truth)
    inside = (low <= truth) & (truth <= high) & known
    return np.stack([inside.sum(axis=-1), np.full(len(inside), known.sum())], axis=-1).astype(float)


def coverage(terms, n_resamples=1000, seed=0):
    """Fraction of truths within intervals of each level, with its 95 % interval from resampled images.

    Parameters
    ----------
    terms : ndarray, shape (n_images, n_levels, 2)
        `coverage_terms` of each image.
    n_resamples, seed : int

    Returns
    -------
    ndarray, shape (n_levels, 3)
        Fraction, lower and upper end.
    """
    terms = np.asarray(terms, float)
    resampled = group_bootstrap(ratio, terms, np.arange(len(terms)), n_resamples, seed)
    return np.column_stack([ratio(terms.sum(axis=0)), *np.nanquantile(resampled, _ends(INTERVAL), axis=0)])


def _ends(level):
    """Probabilities below the ends of a central interval."""
    return (1 - level) / 2, (1 + level) / 2
