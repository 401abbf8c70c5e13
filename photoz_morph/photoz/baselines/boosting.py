"""Redshift PDFs by gradient boosting on catalogue photometry.

One booster predicts z_phot, a second one the size of its error; the shape of the PDF is the distribution of the errors
of the training galaxies.
"""

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

MIN_TRAIN = 100  # galaxies; a tree does not split fewer than twice its 20 to 50 galaxies per leaf
# z_phot: 100 trees of 31 leaves at rate 0.1, scikit-learn's defaults. Fewer, larger leaves for the error, which is
# noisy and is also predicted for its own training galaxies.
ERROR_OPTIONS = {"max_iter": 50, "min_samples_leaf": 50}


def boosting_pdf(train_features, train_z, train_fold, test_features, grid):
    """Redshift PDFs of test galaxies by two gradient boosters and the distribution of the training errors.

    Parameters
    ----------
    train_features : ndarray, shape (n_train, n_features)
    train_z : ndarray, shape (n_train,)
        Spectroscopic redshifts.
    train_fold : ndarray of int, shape (n_train,)
        Two folds or more: the error of a training galaxy is that of a booster not trained on its fold.
    test_features : ndarray, shape (n_test, n_features)
    grid : RedshiftGrid

    Returns
    -------
    ndarray, shape (n_test, n_bins), float32
        NaN where a feature is not finite.

    Raises
    ------
    ValueError
        If there are fewer than `MIN_TRAIN` training galaxies or they are all in one fold.

    Notes
    -----
    Histogram gradient boosting (Friedman 2001; Ke et al. 2017) of scikit-learn. The first booster has squared loss;
    the second is fitted to the absolute errors e of the first, found by cross-validation inside the training sample,
    and gives the local scale s. The PDF is the distribution of e / s, stretched by s about z_phot.

    Chosen among four on the 9,811 real galaxies of `photoz baseline`, five folds, on which it is also quoted, so the
    last digits of the scores are not blind. A distance of the PIT from flat (Kolmogorov and
    Smirnov) up to 0.0137 is consistent with calibrated PDFs at 5 %; bootstrap errors of CRPS are 0.0001.

    | PDF | CRPS | PIT distance | sigma_MAD | eta [%] | time |
    |---|---|---|---|---|---|
    | this one | 0.00983 | 0.013 | 0.01362 | 1.39 | 4 s |
    | Gaussian of the same scale | 0.00984 | 0.024 | 0.01365 | 1.40 | 4 s |
    | Gaussian, second booster on e^2 with gamma loss | 0.00984 | 0.017 | 0.01363 | 1.39 | 4 s |
    | ten quantile boosters, joined linearly | 0.00977 | 0.028 | 0.01349 | 1.39 | 20 s |

    Petrosian minus model magnitudes as further features lower sigma_MAD by 0.0002; they are left out, so that both
    baselines see the same photometry.
    """
    train_features, train_z = np.asarray(train_features, float), np.asarray(train_z, float)
    test_features, train_fold = np.asarray(test_features, float), np.asarray(train_fold)
    if len(train_z) < MIN_TRAIN or len(np.unique(train_fold)) < 2:
        raise ValueError(
            f"boosting needs {MIN_TRAIN} training galaxies or more in two folds or more, got {len(train_z)} in "
            f"{len(np.unique(train_fold))}"
        )
    pdf = np.full((len(test_features), grid.n_bins), np.nan, np.float32)
    finite = np.isfinite(test_features).all(axis=1)
    # One thread: in fits this small threads wait for each other, up to ten times as long on busy cores. The trees do
    # not depend on their number.
    with threadpool_limits(limits=1, user_api="openmp"):
        error = train_z - _unseen_predictions(train_features, train_z, train_fold)
        scale_model = _fit(train_features, np.abs(error), **ERROR_OPTIONS)
        relative_error = error / _scale(scale_model, train_features, grid)
        if finite.any():
            z_phot = _fit(train_features, train_z).predict(test_features[finite])
            scale = _scale(scale_model, test_features[finite], grid)
            pdf[finite] = scaled_error_pdf(z_phot, scale, relative_error, grid)
    return pdf


def scaled_error_pdf(z_phot, scale, relative_error, grid):
    """PDFs with the shape of a sample of errors, stretched by a scale and centred on z_phot.

    Parameters
    ----------
    z_phot, scale : ndarray, shape (n,)
        Centres, moved to the nearest edge where outside the grid, and scales in redshift.
    relative_error : ndarray, shape (n_errors,)
        Errors z_spec - z_phot over their scales; both signs occur.
    grid : RedshiftGrid

    Returns
    -------
    ndarray, shape (n, n_bins), float32
        Cut at the ends of the grid and normalised on it.
    """
    ordered = np.sort(relative_error)
    centre = np.clip(z_phot, grid.z_min, grid.z_max)
    below = np.linspace(0, 1, len(ordered))
    pdf = np.diff(np.interp((grid.edges - centre[:, None]) / scale[:, None], ordered, below), axis=1)
    return (pdf / pdf.sum(axis=1, keepdims=True)).astype(np.float32)


def _fit(features, target, **options):
    """A booster without early stopping, which would set aside random galaxies."""
    return HistGradientBoostingRegressor(early_stopping=False, random_state=0, **options).fit(features, target)


def _unseen_predictions(features, z, fold):
    """Redshift of each galaxy by a booster fitted to the other folds, shape (n,)."""
    predicted = np.empty(len(z))
    for number in np.unique(fold):
        unseen = fold == number
        predicted[unseen] = _fit(features[~unseen], z[~unseen]).predict(features[unseen])
    return predicted


def _scale(model, features, grid):
    """Mean absolute error predicted from features, at least a quarter of a bin."""
    return np.maximum(model.predict(features), grid.width / 4)
