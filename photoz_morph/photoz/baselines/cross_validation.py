"""Cross-validation of the baselines on the folds of the networks, so that both are scored on the same galaxies."""

import warnings

import numpy as np
from tqdm import tqdm

from photoz_morph.photoz.baselines.boosting import boosting_pdf
from photoz_morph.photoz.baselines.local_linear import N_NEIGHBOURS, knn_pdf

# Method -> its name in predictions and tables.
MODELS = {"knn": "k-NN", "boosting": "gradient boosting", "mlp": "MLP"}  # from magnitudes
STAMP_MODELS = {"mlp_shapes": "MLP with shapes"}  # from magnitudes and what is measured on the stamps
METHODS = MODELS | STAMP_MODELS


def cross_validate(method, features, z_spec, fold, grid, progress=False):
    """PDF of every galaxy by a baseline trained on the galaxies of the other folds.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    features : ndarray, shape (n, n_features)
        From `photometric_features`, and what else the method sees; NaN where a magnitude is missing.
    z_spec : ndarray, shape (n,)
        NaN where unknown; such a galaxy is not trained on.
    fold : ndarray of int, shape (n,)
        Test fold of each galaxy, the same as the network's: `catalogs.assign_fold(group_id)`.
    grid : RedshiftGrid
    progress : bool

    Returns
    -------
    ndarray, shape (n, n_bins), float32
        NaN where a feature is missing.

    Raises
    ------
    ValueError
        If the method is unknown, or the galaxies with z_spec are too few or all in one fold.

    Warns
    -----
    UserWarning
        If there are fewer training galaxies than the neighbours of k-NN.
    """
    if method not in METHODS:
        raise ValueError(f"unknown baseline {method!r}; choose one of {', '.join(METHODS)}")
    predict = _function_of(method)
    features, z_spec, fold = np.asarray(features, float), np.asarray(z_spec, float), np.asarray(fold)
    trains = np.isfinite(features).all(axis=1) & np.isfinite(z_spec)
    if not np.isfinite(z_spec).any():
        raise ValueError("no galaxy has a z_spec; a baseline trains on those that have one")
    if len(np.unique(fold[trains])) < 2:
        raise ValueError(
            f"cross-validation needs galaxies with z_spec and all magnitudes in two folds or more; {trains.sum()} of "
            f"{len(z_spec)} have both, in {len(np.unique(fold[trains]))}"
        )
    n_train = min(np.sum(trains & (fold != test_fold)) for test_fold in np.unique(fold))
    if method == "knn" and n_train < N_NEIGHBOURS:
        warnings.warn(
            f"k-NN fits all {n_train} training galaxies of a fold, instead of the {N_NEIGHBOURS} nearest as in Beck et "
            "al. (2016)", stacklevel=2,
        )  # fmt: skip
    pdf = np.empty((len(z_spec), grid.n_bins), np.float32)
    for test_fold in tqdm(np.unique(fold), desc=METHODS[method], unit=" folds", disable=not progress):
        test, train = fold == test_fold, trains & (fold != test_fold)
        pdf[test] = predict(features[train], z_spec[train], fold[train], features[test], grid)
    return pdf


def _function_of(method):
    """PDF function of a method."""
    if method == "knn":
        return knn_pdf
    if method == "boosting":
        return boosting_pdf
    from photoz_morph.photoz.baselines.mlp import mlp_pdf  # only here: TensorFlow takes seconds to load

    return mlp_pdf
