"""Cross-validation of the baselines on the folds of the networks, so that both are scored on the same galaxies."""

import warnings

import numpy as np
from tqdm import tqdm

from photoz_morph.photoz.baselines.boosting import boosting_pdf
from photoz_morph.photoz.baselines.local_linear import N_NEIGHBOURS, knn_pdf
from photoz_morph.training.quiet import quiet_tensorflow
from photoz_morph.training.workers import run_workers

# Method -> its name in predictions and tables.
MODELS = {"knn": "k-NN", "boosting": "gradient boosting", "mlp": "MLP"}  # from magnitudes
STAMP_MODELS = {"mlp_shapes": "MLP with shapes"}  # from magnitudes and what is measured on the stamps
# From what only a simulation knows; see `bounds`.
BOUNDS = {
    "bound_guess": "no information",
    "bound_structure": "true structure",
    "bound_pixels": "pixel information",
    "bound_truth": "true magnitudes and structure",
}
METHODS = MODELS | STAMP_MODELS | BOUNDS


def cross_validate(method, features, z_spec, fold, grid, progress=False, test_folds=None):
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
    test_folds : sequence of int, optional
        Folds to predict; all by default.

    Returns
    -------
    ndarray, shape (n, n_bins), float32
        NaN where a feature is missing, and in folds that are not predicted.

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
    features, z_spec, fold = np.asarray(features, float), np.asarray(z_spec, float), np.asarray(fold)
    trains = np.isfinite(features).all(axis=1) & np.isfinite(z_spec)
    if not np.isfinite(z_spec).any():
        raise ValueError("no galaxy has a z_spec; a baseline trains on those that have one")
    if len(np.unique(fold[trains])) < 2:
        raise ValueError(
            f"cross-validation needs galaxies with z_spec and all magnitudes in two folds or more; {trains.sum()} of "
            f"{len(z_spec)} have both, in {len(np.unique(fold[trains]))}"
        )
    test_folds = np.unique(fold) if test_folds is None else test_folds
    n_train = min(np.sum(trains & (fold != test_fold)) for test_fold in test_folds)
    if method == "knn" and n_train < N_NEIGHBOURS:
        warnings.warn(
            f"k-NN fits all {n_train} training galaxies of a fold, instead of the {N_NEIGHBOURS} nearest as in Beck et "
            "al. (2016)", stacklevel=2,
        )  # fmt: skip
    pdf = np.full((len(z_spec), grid.n_bins), np.nan, np.float32)
    with tqdm(total=len(test_folds), desc=METHODS[method], unit=" folds", disable=not progress) as bar:
        parts = []
        for test_fold in test_folds:
            train = trains & (fold != test_fold)
            parts.append((features[train], z_spec[train], fold[train], features[fold == test_fold], grid))

        def keep(task, done):
            number, found = done
            pdf[fold == test_folds[number]] = found
            bar.update()

        if method in FUNCTIONS:
            _predict_parts((FUNCTIONS[method], parts), lambda done: keep(None, done))
        else:  # in a process of its own: the threads of TensorFlow cannot be changed once it has run
            run_workers([(None, parts)], 1, _predict_parts, keep, "free some, and run it again", _set_up_network)
    return pdf


def guessed_pdf(train_features, train_z, train_fold, test_features, grid):
    """The distribution of the training redshifts as the PDF of every galaxy, as if nothing was known of it.

    Parameters and return value are those of `boosting_pdf`.
    """
    counts = np.bincount(grid.bin_index(np.clip(train_z, grid.z_min, grid.z_max)), minlength=grid.n_bins)
    finite = np.isfinite(np.asarray(test_features, float)).all(axis=1)
    return np.where(finite[:, None], (counts / counts.sum()).astype(np.float32), np.float32(np.nan))


# PDF functions of the methods that are no small network.
FUNCTIONS = {"knn": knn_pdf, "boosting": boosting_pdf, "bound_guess": guessed_pdf}


def _predict_parts(task, send):
    """Send the number and the PDFs of each part of a task, a function (None for a small network) and its arguments."""
    function, parts = task
    if function is None:
        from photoz_morph.photoz.baselines import mlp  # only here: TensorFlow takes seconds to load

        function = mlp.mlp_pdf
    for number, part in enumerate(parts):
        send((number, function(*part)))


def _set_up_network():
    """Load TensorFlow with one thread: in networks so small, threads wait for each other, minutes on busy cores."""
    quiet_tensorflow()
    from photoz_morph.photoz.baselines.mlp import use_one_thread

    use_one_thread()
