"""Class probabilities by gradient boosting on measurements of the stamps."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

MIN_TRAIN = 40  # galaxies; a tree does not split fewer than twice its 20 galaxies per leaf
# Our choices; scikit-learn's learning rate of 0.1 overfits some thousand galaxies within its 100 trees.
OPTIONS = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 15, "l2_regularization": 1.0, "max_features": 0.3}


def boosted_probabilities(train, label, tests, n_classes, seeds, on_seed=None):
    """Class probabilities of test galaxies by one booster a seed.

    Parameters
    ----------
    train : ndarray, shape (n_train, n_measurements)
        NaN where missing, which the trees handle as a value of its own.
    label : ndarray of int, shape (n_train,)
    tests : list of ndarray, shape (n, n_measurements)
        Sets of test galaxies.
    n_classes : int
    seeds : iterable of int
        Each draws the measurements that every split of its trees may use.
    on_seed : callable, optional
        Called with 1 after each seed.

    Returns
    -------
    list of ndarray, shape (n, n_seeds, n_classes), float32
        For each of `tests`.

    Raises
    ------
    ValueError
        If there are fewer than `MIN_TRAIN` training galaxies or fewer than two classes of them.

    Notes
    -----
    Histogram gradient boosting (Friedman 2001; Ke et al. 2017) of scikit-learn with the cross-entropy as its loss; the
    classes are not weighted.
    """
    train, label = np.asarray(train, float), np.asarray(label)
    if len(label) < MIN_TRAIN or len(np.unique(label)) < 2:
        raise ValueError(
            f"boosting needs {MIN_TRAIN} training galaxies or more of two classes or more, got {len(label)} of "
            f"{len(np.unique(label))}; build a larger dataset"
        )
    found = [[] for _ in tests]
    # One thread: in fits this small threads wait for each other, up to ten times as long on busy cores. The trees do
    # not depend on their number.
    with threadpool_limits(limits=1, user_api="openmp"):
        for seed in seeds:
            model = HistGradientBoostingClassifier(early_stopping=False, random_state=seed, **OPTIONS).fit(train, label)
            for part, measured in zip(found, tests):
                probability = np.zeros((len(measured), n_classes), np.float32)
                probability[:, model.classes_] = model.predict_proba(np.asarray(measured, float))
                part.append(probability)
            if on_seed:
                on_seed(1)
    return [np.stack(part, axis=1) for part in found]
