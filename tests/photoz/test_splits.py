import numpy as np
import pytest

from photoz_morph.catalogs.folds import assign_fold
from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.splits import cross_validation_splits, labelled_rows
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from tests.support.samples import colour_stacks
from tfds_builders.sdss_ugriz import build


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


def test_validation_shares_no_group_with_training(builder):
    """The galaxies of `data_dir` are pairs: cut after an odd number, one of them would be on either side."""
    for fold in range(5):
        for fraction in (0.8, 0.3):
            splits = cross_validation_splits(builder, fold, n_validation=21, train_fraction=fraction)
            train, validation, test = (
                set(reading.read_columns(builder, split)["group_id"])
                for split in (splits.train, splits.validation, splits.test)
            )
            assert len(validation) == 11 and not validation & train and not (validation | train) & test


def test_a_fold_is_cut_after_the_group_that_holds_the_last_galaxy(tmp_path):
    images, table = colour_stacks(300)
    table["group_id"] = np.where(table["obj_id"] < 100, 0, table["obj_id"])  # larger than what is read at once
    write_shard(shard_path(tmp_path, 0), images, table, SDSS, "simulated")
    build(tmp_path, tmp_path / "data", progress=False)
    builder = reading.open_dataset(tmp_path / "data")
    large = int(assign_fold([0])[0])
    group_id = reading.read_columns(builder, f"fold_{large}")["group_id"]
    start = int(np.flatnonzero(group_id == 0)[0])
    assert np.all(group_id[start : start + 100] == 0) and 0 < start < len(group_id) - 101
    for asked, cut in ((1, 1), (start, start), (start + 1, start + 100), (start + 100, start + 100)):
        splits = cross_validation_splits(builder, (large - 1) % 5, asked)
        assert splits.validation == f"fold_{large}[:{cut}]"


def test_datasets_of_earlier_versions_keep_their_validation_galaxies(builder, monkeypatch):
    monkeypatch.delitem(builder.info.metadata, "order")
    assert cross_validation_splits(builder, 0, 21).validation == "fold_1[:21]"


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


def test_a_number_of_labels_is_met_exactly_and_a_smaller_one_lies_in_a_larger(builder):
    columns = reading.CachedColumns(builder, ("obj_id", "group_id"))

    def chosen(fold, n, part=0):
        splits = cross_validation_splits(builder, fold, 20, n_labels=n, labels_part=part)
        train, others = columns(splits.train), columns(f"{splits.validation}+{splits.test}")
        assert len(train["obj_id"]) == n and not set(train["group_id"]) & set(others["group_id"])
        return set(train["obj_id"].tolist())

    for fold in (0, 4):
        for part in (0, 1):
            assert chosen(fold, 10, part) < chosen(fold, 50, part) < chosen(fold, 150, part)
        assert len(chosen(fold, 50, 0) & chosen(fold, 50, 1)) < 25
    whole = cross_validation_splits(builder, 0, 20).train
    n_all = len(columns(whole)["obj_id"])
    assert chosen(0, n_all, 3) == set(columns(whole)["obj_id"].tolist())
    with pytest.raises(ValueError, match=f"data.n_labels is 400, there are {n_all} galaxies to train on; give fewer"):
        cross_validation_splits(builder, 0, 20, n_labels=400)


def test_baselines_learn_from_as_many_labels():
    for part in (0, 1):
        rows = labelled_rows(60, 5, 40, part)
        assert rows.sum() == 10 and (part == 0) == rows[:10].all()
