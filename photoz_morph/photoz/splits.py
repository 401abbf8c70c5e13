"""Which galaxies of a prepared dataset train, validate and test a fold, as TFDS split expressions."""

from dataclasses import dataclass

from photoz_morph.photoz.dataset import split_sizes


@dataclass(frozen=True)
class Splits:
    """TFDS split expressions of one fold of a cross-validation."""

    train: str
    validation: str
    test: str


def cross_validation_splits(builder, test_fold, n_validation, train_fraction=0.8):
    """Training, validation and test galaxies of one fold.

    Parameters
    ----------
    builder : tfds builder
    test_fold : int
        The fold that is held out.
    n_validation : int
        Galaxies taken for validation from the fold that follows the test fold.
    train_fraction : float
        Part of the whole dataset to train on, the same from each of the other folds; smaller parts lie in larger ones.

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
    if n_validation >= sizes[first]:
        raise ValueError(
            f"data.n_validation is {n_validation}, fold {first} it is taken from has {sizes[first]} galaxies; lower it"
        )
    share = train_fraction * len(sizes) / len(others)
    if share > 1:
        largest = len(others) / len(sizes)
        raise ValueError(f"data.train_fraction is {train_fraction}; one fold is tested, {largest:g} is the most")
    if round(share * min(sizes[fold] for fold in others)) < 1:
        raise ValueError(
            f"data.train_fraction is {train_fraction}: less than a galaxy of each fold of {min(sizes)}; raise it"
        )
    ends = {fold: round(share * sizes[fold]) if share < 1 else None for fold in others}
    if ends[first] is not None:
        ends[first] = min(n_validation + ends[first], sizes[first])
    starts = {fold: n_validation if fold == first else None for fold in others}
    order = [first, *(fold for fold in others if fold != first)]
    return Splits(
        train="+".join(_slice(fold, starts[fold], ends[fold]) for fold in order),
        validation=_slice(first, None, n_validation),
        test=f"fold_{test_fold}",
    )


def _slice(fold, start, end):
    """TFDS expression of a part of a fold; None is its beginning or end."""
    if start is None and end is None:
        return f"fold_{fold}"
    return f"fold_{fold}[{'' if start is None else start}:{'' if end is None else end}]"
