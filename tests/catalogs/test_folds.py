import numpy as np
import pytest

from photoz_morph.catalogs.folds import assign_fold, assign_split

SDSS_OBJ_ID = 1237648720693755918  # a 60-bit identifier: a float64 would round it


def test_fold_does_not_depend_on_the_rest_of_the_sample():
    ids = SDSS_OBJ_ID + np.arange(1000)
    order = np.random.default_rng(0).permutation(1000)
    np.testing.assert_array_equal(assign_fold(ids)[order], assign_fold(ids[order]))
    assert assign_fold(ids[17])[0] == assign_fold(ids)[17]


def test_folds_are_equally_full_and_independent_of_neighbouring_ids():
    fold = assign_fold(SDSS_OBJ_ID + np.arange(50_000))
    counts = np.bincount(fold, minlength=5)
    assert np.sum((counts - 10_000) ** 2 / 10_000) < 18.5  # chi-square of 4 degrees of freedom, 0.1 %
    same_as_next = np.mean(fold[1:] == fold[:-1])
    assert same_as_next == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / 50_000))


def test_fold_hash_is_splitmix64():
    # First outputs of SplitMix64 for seeds 0 and 1234567, as in the published test vectors of splitmix64.c.
    first = {0: 0xE220A8397B1DCDAF, 1234567: 6457827717110365317}
    for seed, value in first.items():
        assert assign_fold(seed, n_folds=997)[0] == value % 997


def test_split_fractions_are_met():
    split = assign_split(SDSS_OBJ_ID + np.arange(100_000))
    for name, fraction in (("train", 0.7), ("validation", 0.1), ("test", 0.2)):
        assert np.mean(split == name) == pytest.approx(fraction, abs=0.01)  # 7 to 11 sigma of the binomial
    other = assign_split(SDSS_OBJ_ID + np.arange(100_000), (0.5, 0.5, 0.0))
    assert np.mean(other == "train") == pytest.approx(0.5, abs=0.01)
    assert "test" not in other


def test_split_does_not_depend_on_the_rest_of_the_sample_and_keeps_groups_whole():
    groups = SDSS_OBJ_ID + np.arange(1000) // 5
    split = assign_split(groups)
    order = np.random.default_rng(0).permutation(1000)
    np.testing.assert_array_equal(split[order], assign_split(groups[order]))
    assert all(len(set(family)) == 1 for family in split.reshape(-1, 5))


def test_split_is_independent_of_the_fold():
    ids = np.arange(50_000)
    fold, test = assign_fold(ids), assign_split(ids) == "test"
    in_test = np.bincount(fold, test, minlength=5) / np.bincount(fold, minlength=5)
    np.testing.assert_allclose(in_test, 0.2, atol=4 * np.sqrt(0.16 / 10_000))


def test_split_hash_is_the_second_output_of_splitmix64():
    # For seed 1234567 it is 3203168211198807973 (published test vectors of splitmix64.c): 0.174 of 2**64.
    position = 3203168211198807973 / 2**64
    assert assign_split(1234567, (position - 1e-9, 1e-9 + 1e-9, 1 - position - 1e-9))[0] == "validation"


@pytest.mark.parametrize("fractions", [(0.7, 0.1), (0.7, 0.1, 0.1), (1.2, -0.3, 0.1)])
def test_wrong_split_fractions_are_refused(fractions):
    with pytest.raises(ValueError, match="split fractions are .*; give 3 numbers from 0 to 1 with sum 1"):
        assign_split([1, 2], fractions)
