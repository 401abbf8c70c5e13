import numpy as np
import pytest

from photoz_morph.catalogs.folds import assign_fold
from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.splits import cross_validation_splits


@pytest.fixture(scope="module")
def builder(data_dir):
    return reading.open_dataset(data_dir)


def test_training_validation_and_test_are_disjoint_and_complete(builder):
    for fold in range(5):
        splits = cross_validation_splits(builder, fold, n_validation=20)
        expressions = (splits.train, splits.validation, splits.test)
        parts = [reading.read_columns(builder, split)["obj_id"] for split in expressions]
        assert len(parts[1]) == 20
        assert sorted(np.concatenate(parts)) == list(range(300))


def test_smaller_training_sets_lie_in_larger_ones(builder):
    sizes = dataset.split_sizes(builder)
    larger = None
    for fraction in (0.8, 0.5, 0.2, 0.02):
        splits = cross_validation_splits(builder, 0, 20, fraction)
        parts = [set(reading.read_columns(builder, part)["obj_id"]) for part in (splits.train, splits.validation)]
        assert not parts[0] & parts[1] and len(parts[1]) == 20
        assert larger is None or parts[0] < larger
        if fraction < 0.8:  # of the whole dataset, up to the galaxy of each fold that rounding gives or takes
            assert abs(len(parts[0]) - fraction * (sum(sizes) - sizes[0]) * 5 / 4) <= 2
        larger = parts[0]
    with pytest.raises(ValueError, match="train_fraction is 0.001: fewer than one galaxy per fold"):
        cross_validation_splits(builder, 0, 20, 0.001)
    with pytest.raises(ValueError, match="train_fraction is 0.9; one fold is the test set, the maximum is 0.8"):
        cross_validation_splits(builder, 0, 20, 0.9)


def test_copies_of_a_galaxy_share_a_fold(builder):
    for fold in range(5):
        columns = reading.read_columns(builder, f"fold_{fold}")
        assert np.all(assign_fold(columns["group_id"]) == fold)
        assert np.all(np.unique(columns["group_id"], return_counts=True)[1] == 2)


def test_impossible_folds_and_validation_sets_are_named(builder):
    with pytest.raises(ValueError, match="no fold 5, the dataset has 5"):
        cross_validation_splits(builder, 5, 20)
    with pytest.raises(ValueError, match="data.n_validation is 500, but fold 1, from which it is taken, has"):
        cross_validation_splits(builder, 0, 500)
