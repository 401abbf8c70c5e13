"""Photometric redshifts from catalogue magnitudes by local linear regression (k-NN).

PDFs on the `RedshiftGrid` are predicted from dereddened magnitudes and colours. The other methods are in `boosting` and
`mlp`.
"""

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import ndtr

N_NEIGHBOURS = 100  # Beck et al. (2016); all training galaxies where there are fewer
N_SIGMA = 3.0  # Beck et al. (2016): neighbours farther from the local fit are rejected
SLICE_ROWS = 4_000  # galaxies fitted at once: 20 MB with 100 neighbours and 5 features


def photometric_features(mags, ebv, survey, petro_r=None):
    """Magnitude in r (or another reference band) and colours of adjacent bands, corrected for Galactic dust.

    Parameters
    ----------
    mags : ndarray, shape (n, n_bands)
        Magnitudes as observed, asinh or AB [mag].
    ebv : ndarray, shape (n,)
        E(B-V) [mag].
    survey : Survey
        Gives the bands and A_band / E(B-V).
    petro_r : ndarray, shape (n,), optional
        Petrosian magnitude in that band as observed [mag]; `mags` by default.

    Returns
    -------
    ndarray, shape (n, n_bands)
        r, then u-g, g-r, r-i, i-z for SDSS [mag].

    Notes
    -----
    The features of Beck et al. (2016).
    """
    mags, ebv, extinction = np.asarray(mags, float), np.asarray(ebv, float), np.asarray(survey.extinction_per_ebv)
    r = survey.bands.index(survey.reference_band)
    r_mag = mags[:, r] if petro_r is None else np.asarray(petro_r, float)
    dereddened = mags - ebv[:, None] * extinction
    return np.column_stack([r_mag - ebv * extinction[r], dereddened[:, :-1] - dereddened[:, 1:]])


def knn_photoz(train_features, train_z, test_features, n_neighbours=None):
    """Redshift by a linear fit to the nearest training galaxies, repeated after a 3 sigma clip.

    Parameters
    ----------
    train_features : ndarray, shape (n_train, n_features)
        Standardised here, each to unit variance over the training sample.
    train_z : ndarray, shape (n_train,)
        Spectroscopic redshifts.
    test_features : ndarray, shape (n_test, n_features)
    n_neighbours : int, optional
        By default `N_NEIGHBOURS`, or all training galaxies where there are fewer.

    Returns
    -------
    z_phot : ndarray, shape (n_test,)
        NaN where a feature is not finite.
    scatter : ndarray, shape (n_test,)
        Standard deviation of the neighbours about the fit, with its degrees of freedom.

    Raises
    ------
    ValueError
        If a training value is not finite or there are too few galaxies for the fit.

    Notes
    -----
    The local linear regression of Beck et al. (2016).
    """
    train_features, train_z = np.asarray(train_features, float), np.asarray(train_z, float)
    test_features = np.asarray(test_features, float)
    bad = np.count_nonzero(~(np.isfinite(train_features).all(axis=1) & np.isfinite(train_z)))
    if bad:
        raise ValueError(f"{bad} of {len(train_z)} training galaxies have a feature or z_spec that is not finite")
    n_neighbours = n_neighbours or min(N_NEIGHBOURS, len(train_z))
    least = 2 * (train_features.shape[1] + 1)  # our choice: as many degrees of freedom as coefficients
    if not least <= n_neighbours <= len(train_z):
        raise ValueError(
            f"k-NN needs {max(least, n_neighbours)} training galaxies or more, twice the coefficients of its fit at "
            f"least; there are {len(train_z)}: give a catalogue with more z_spec"
        )
    mean, spread = train_features.mean(axis=0), train_features.std(axis=0)
    train, test = (train_features - mean) / spread, (test_features - mean) / spread
    tree = cKDTree(train)
    z_phot, scatter = np.full(len(test), np.nan), np.full(len(test), np.nan)
    finite = np.flatnonzero(np.isfinite(test).all(axis=1))
    for start in range(0, len(finite), SLICE_ROWS):
        rows = finite[start : start + SLICE_ROWS]
        neighbours = tree.query(test[rows], k=n_neighbours)[1]
        # About the test galaxy as origin the intercept of the fit is its z_phot.
        offsets = train[neighbours] - test[rows, None, :]
        z_phot[rows], scatter[rows] = _clipped_fit(offsets, train_z[neighbours])
    return z_phot, scatter


def _clipped_fit(offsets, z):
    """Intercepts and scatters of linear fits to (n, k, n_features) offsets, before and after one sigma clip."""
    design = np.concatenate([np.ones_like(offsets[..., :1]), offsets], axis=-1)
    _, deviation, scatter = _weighted_fit(design, z, np.ones_like(z))
    kept = (np.abs(deviation) <= N_SIGMA * scatter[:, None]).astype(float)
    coefficients, _, scatter = _weighted_fit(design, z, kept)
    return coefficients[:, 0], scatter


def _weighted_fit(design, z, weight):
    """Least-squares coefficients, deviations of all neighbours, and the scatter of those of weight one."""
    weighted = design * weight[..., None]
    normal = np.swapaxes(weighted, -1, -2) @ design
    # A ridge far below the rounding of the photometry keeps the matrix regular for identical neighbours.
    normal += 1e-10 * np.trace(normal, axis1=-2, axis2=-1)[:, None, None] * np.eye(normal.shape[-1])
    coefficients = np.linalg.solve(normal, np.swapaxes(weighted, -1, -2) @ z[..., None])[..., 0]
    deviation = z - (design @ coefficients[..., None])[..., 0]
    freedom = weight.sum(axis=1) - design.shape[-1]
    return coefficients, deviation, np.sqrt(np.sum(weight * deviation**2, axis=1) / freedom)


def knn_pdf(train_features, train_z, train_fold, test_features, grid):
    """Gaussian PDFs of `knn_photoz`; `train_fold` is ignored, for the same signature as `boosting_pdf`."""
    return gaussian_pdf(*knn_photoz(train_features, train_z, test_features), grid)


def gaussian_pdf(z_phot, scatter, grid):
    """Gaussians integrated over the bins of a grid and normalised on it.

    Parameters
    ----------
    z_phot : ndarray, shape (n,)
        Centres, moved to the nearest edge where outside the grid; NaN gives a row of NaN.
    scatter : ndarray, shape (n,)
        Standard deviations, at least that of one bin.
    grid : RedshiftGrid

    Returns
    -------
    ndarray, shape (n, n_bins), float32
    """
    centre = np.clip(np.asarray(z_phot, float), grid.z_min, grid.z_max)
    width = np.maximum(np.asarray(scatter, float), grid.width / np.sqrt(12))
    pdf = np.diff(ndtr((grid.edges - centre[:, None]) / width[:, None]), axis=1)
    return (pdf / pdf.sum(axis=1, keepdims=True)).astype(np.float32)
