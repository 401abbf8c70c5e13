"""Classes of detected sources by gradient boosting on what `photometry.measure` tells about them.

The classifier learns from detections of training images, each of the class of the true source it was matched with, and
gives every pixel of a segment the class of its source.
"""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from photoz_morph.metrics.completeness import column_of
from photoz_morph.metrics.detection import match_images

MIN_TRAIN = 40  # sources; a tree does not split fewer than twice its 20 sources per leaf
# Our choices, as in the baseline of `morph`: scikit-learn's learning rate of 0.1 overfits some thousand sources.
OPTIONS = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 15, "l2_regularization": 1.0, "max_features": 0.5}


def class_measurements(sources):
    """What the classifier knows of each source.

    Parameters
    ----------
    sources : Table
        From `photometry.measure`.

    Returns
    -------
    ndarray, shape (n, 4 n_bands + 9)
        Kron fluxes and signal-to-noise ratios (log10), colours of the Kron ellipse and of the segment [mag], sizes
        [log10 pixel], axis ratio, concentration, asymmetry, fractions of the light in the brightest pixel and in the
        segment, and whether SExtractor took the source apart. NaN where a logarithm has no value, which trees can
        handle.
    """
    n = len(sources)
    if n == 0:
        return np.zeros((0, 4 * sources["flux"].shape[1] + 9))
    flux, segment = (np.asarray(sources[name], float) for name in ("flux", "flux_segment"))
    radii = np.asarray(sources["radii"], float)
    a, b = (np.asarray(sources[name], float) for name in "ab")
    columns = [
        _log(flux), _log(flux / sources["flux_error"]),
        *(-2.5 * (_log(light[:, :-1]) - _log(light[:, 1:])) for light in (flux, segment)),
        _log(np.asarray(sources["score"], float)), _log(a), b / a, _log(radii[:, 1]), _log(radii[:, 2] / radii[:, 0]),
        np.asarray(sources["asymmetry"], float), _log(sources["kron_radius"] * np.sqrt(a * b)), _log(sources["npix"]),
        _log(sources["peak"] / segment.sum(axis=1)), _log(segment.sum(axis=1) / flux.sum(axis=1)),
        (np.asarray(sources["flag"]) & 2) > 0,
    ]  # fmt: skip
    return np.column_stack([np.reshape(column, (n, -1)).astype(float) for column in columns])


def matched_classes(tables, truths, radius):
    """Class of the true source that each detection was matched with, -1 where there is none.

    Parameters
    ----------
    tables : list of Table
        Detections of each image.
    truths : list of mapping
        True sources with `y`, `x` [pixel] and `kind`; those that are no targets count too.
    radius : float
        Largest distance [pixel].

    Returns
    -------
    list of ndarray of int, shape (n,)
        In the order of each table.
    """
    matches = match_images(tables, truths, [radius], by="position")
    label = column_of(truths, "kind", matches.truth_image, matches.truth_row)
    found = np.append(label, -1)[matches.truth[0]]  # the last for those without a match
    classes = [np.full(len(table), -1) for table in tables]
    for image, row, one in zip(matches.image, matches.row, found):
        classes[image][row] = one
    return classes


def fit_classes(measured, label, seed=0):
    """Train the classifier.

    Parameters
    ----------
    measured : ndarray, shape (n, n_measurements)
        From `class_measurements`.
    label : ndarray of int, shape (n,)
        Classes from 1; sources of others, such as -1 of those without a match, are left out.
    seed : int
        Draws the measurements that every split of its trees may use.

    Returns
    -------
    HistGradientBoostingClassifier

    Raises
    ------
    ValueError
        If there are fewer than `MIN_TRAIN` sources or fewer than two classes of them.

    Notes
    -----
    Friedman (2001), Ke et al. (2017), with the cross-entropy as loss; classes are not weighted.
    """
    label = np.asarray(label)
    known = label > 0
    if known.sum() < MIN_TRAIN or len(np.unique(label[known])) < 2:
        raise ValueError(
            f"boosting needs {MIN_TRAIN} training sources or more of two classes or more, got {known.sum()} of "
            f"{len(np.unique(label[known]))}; give more images, or a larger radius"
        )
    model = HistGradientBoostingClassifier(early_stopping=False, random_state=seed, **OPTIONS)
    with threadpool_limits(limits=1, user_api="openmp"):  # threads of fits this small wait for each other
        return model.fit(np.asarray(measured, float)[known], label[known])


def class_probabilities(model, measured, n_classes):
    """Probabilities of the classes of sources, shape (n, n_classes); 0 for those that the model never saw."""
    probability = np.zeros((len(measured), n_classes))
    if len(measured):
        with threadpool_limits(limits=1, user_api="openmp"):
            probability[:, model.classes_] = model.predict_proba(np.asarray(measured, float))
    return probability


def _log(values):
    """Decimal logarithm, NaN where there is none."""
    values = np.asarray(values, float)
    return np.log10(values, out=np.full(values.shape, np.nan), where=np.isfinite(values) & (values > 0))
