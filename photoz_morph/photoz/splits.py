"""Cross-validation splits of a prepared dataset, as TFDS split expressions, and the dataset of a run."""

from dataclasses import dataclass

import numpy as np

from photoz_morph.datasets import reading
from photoz_morph.datasets.reading import read_columns
from photoz_morph.photoz.dataset import split_sizes


@dataclass(frozen=True)
class Splits:
    """TFDS split expressions of one fold of a cross-validation."""

    train: str
    validation: str
    test: str


def splits_of(config, builder, test_fold):
    """`cross_validation_splits` as a config has them."""
    data = config.data
    return cross_validation_splits(
        builder, test_fold, data.n_validation, data.train_fraction, data.n_labels, data.labels_part
    )


def cross_validation_splits(
    builder, test_fold, n_validation, train_fraction=0.8, n_labels=None, labels_part=0
):
    """Training, validation and test galaxies of one fold.

    Parameters
    ----------
    builder : tfds builder
    test_fold : int
        The fold that is held out.
    n_validation : int
        Galaxies taken for validation from the fold that follows the test fold, and as many more as complete the last
        group: no galaxy to train on has the `group_id` of one to validate on. In datasets of earlier versions the
        galaxies of a group are not stored side by side, and validation shares groups with training.
    train_fraction : float
        Fraction of the whole dataset to train on, the same from each of the other folds; smaller training sets are
        subsets of larger ones.
    n_labels : int, optional
        Galaxies to train on, instead of a fraction: as many from each of the other folds, side by side in the stored
        order, which is that of a hash of `group_id`; smaller sets are subsets of larger ones.
    labels_part : int
        Where in a fold they begin: 0 with its first, another number somewhere else.

    Returns
    -------
    Splits
        Three disjoint expressions; with the largest fraction training and validation together are the other folds
        (Pasquet et al. 2019, Sec. 3.8).

    Raises
    ------
    ValueError
        If the dataset has no such fold, a fold is empty, or validation would use up its fold.
    """
    sizes = split_sizes(builder)
    if not 0 <= test_fold < len(sizes):
        raise ValueError(f"{builder.data_dir}: no fold {test_fold}, the dataset has {len(sizes)}")
    if min(sizes) == 0:
        raise ValueError(f"{builder.data_dir}: folds of {sizes} galaxies; too few galaxies for {len(sizes)} folds")
    others = [fold for fold in range(len(sizes)) if fold != test_fold]
    first = (test_fold + 1) % len(sizes)
    asked, n_validation = n_validation, _end_of_group(builder, first, n_validation, sizes[first])
    if n_validation >= sizes[first]:
        raise ValueError(
            f"data.n_validation is {asked}, but fold {first}, from which it is taken, has {sizes[first]} galaxies; "
            "lower it"
        )
    order = [first, *(fold for fold in others if fold != first)]
    validation, test = _slice(first, None, n_validation), f"fold_{test_fold}"
    starts = {fold: n_validation if fold == first else 0 for fold in others}
    if n_labels is not None:
        counts = _labels_of_folds(n_labels, {fold: sizes[fold] - starts[fold] for fold in order}, builder.data_dir)
        parts = [
            part for fold in order
            for part in reading.round_slices(f"fold_{fold}", starts[fold], sizes[fold], counts[fold], labels_part)
        ]  # fmt: skip
        return Splits(train="+".join(parts), validation=validation, test=test)
    fraction = train_fraction * len(sizes) / len(others)
    if fraction > 1:
        largest = len(others) / len(sizes)
        raise ValueError(
            f"data.train_fraction is {train_fraction}; one fold is the test set, the maximum is {largest:g}"
        )
    if round(fraction * min(sizes[fold] for fold in others)) < 1:
        raise ValueError(
            f"data.train_fraction is {train_fraction}: fewer than one galaxy per fold of {min(sizes)}; raise it"
        )
    ends = {fold: round(fraction * sizes[fold]) if fraction < 1 else None for fold in others}
    if ends[first] is not None:
        ends[first] = min(n_validation + ends[first], sizes[first])
    return Splits(
        train="+".join(_slice(fold, starts[fold] or None, ends[fold]) for fold in order),
        validation=validation,
        test=test,
    )


def open_run_dataset(config, trained_on, data_dir):
    """Builder of the dataset a run was trained on, or of a copy of it in `data_dir`."""

    def identity(builder):
        return {"galaxies_per_fold": split_sizes(builder), "content_hash": reading.content_hash(builder)}

    return reading.open_run_dataset(trained_on, data_dir, config.survey.dataset_name, identity)


def labelled_rows(size, n_folds, n_labels, labels_part):
    """Which galaxies of a fold train networks on `n_labels` galaxies, mask of shape (size,), validation apart."""
    rows = np.arange(size)
    first = int(labels_part * reading.PART_STEP % 1 * size)
    return (rows - first) % size < round(n_labels / (n_folds - 1))


def _labels_of_folds(n_labels, room, data_dir):
    """Labelled galaxies of each fold, in equal numbers as far as each has them; those of fewer labels are no more."""
    if n_labels > sum(room.values()):
        raise ValueError(
            f"{data_dir}: data.n_labels is {n_labels}, there are {sum(room.values())} galaxies to train on; give fewer"
        )
    counts, left = dict.fromkeys(room, 0), n_labels
    while left:
        open_folds = [fold for fold in room if counts[fold] < room[fold]]
        for number, fold in enumerate(open_folds):
            share = min(-(-left // (len(open_folds) - number)), room[fold] - counts[fold])
            counts[fold], left = counts[fold] + share, left - share
    return counts


def _end_of_group(builder, fold, n, size):
    """Smallest number of galaxies, n or more, after which a fold can be cut without cutting a group."""
    if builder.info.metadata.get("order") != "group_id" or not 0 < n < size:
        return n
    ahead = 64
    while True:
        group_id = read_columns(builder, f"fold_{fold}[{n - 1}:{min(n + ahead, size)}]")["group_id"]
        others = np.flatnonzero(group_id != group_id[0])
        if len(others):
            return n - 1 + int(others[0])
        if n + ahead >= size:
            return size
        ahead *= 4


def _slice(fold, start, end):
    """TFDS expression of a slice of a fold; None is its beginning or end."""
    if start is None and end is None:
        return f"fold_{fold}"
    return f"fold_{fold}[{'' if start is None else start}:{'' if end is None else end}]"
