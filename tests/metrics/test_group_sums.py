import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics.bootstrap import bootstrap
from photoz_morph.metrics.group_sums import (
    count_groups,
    fraction_design_effect,
    mad_error,
    mean_error,
    number_groups,
    pair_covariance,
)
from photoz_morph.metrics.redshifts.point_scores import sigma_mad
from tests.support.redshifts import residuals


@pytest.mark.parametrize("name", ["norm", "t", "gamma"])
def test_mad_error_is_the_scatter_of_sigma_mad(name):
    shape = {"norm": (), "t": (3,), "gamma": (2,)}[name]
    draws = getattr(stats, name).rvs(*shape, size=(1000, 1000), random_state=8)
    errors = [mad_error(sample) for sample in draws[:50]]
    assert np.mean(errors) == pytest.approx(np.std(sigma_mad(draws)), rel=0.08)  # 2 % from 1,000 draws, 1 % from errors


def test_mad_error_agrees_with_the_bootstrap():
    values = residuals(20_000, np.random.default_rng(9))
    assert mad_error(values) == pytest.approx(np.std(bootstrap(sigma_mad, values, 200)), rel=0.3)  # noise 10 %


def test_groups_are_numbered_as_they_appear_and_pairs_counted_by_hand():
    group, n_groups = number_groups(np.array(["b", "a", "b", "c"]), 4)
    assert list(group) == [0, 1, 0, 2] and n_groups == 3
    assert pair_covariance(np.array([2.0, 1, 3, 1]), group) == 6  # the one pair, 2 * 3
    assert pair_covariance(np.array([2.0, 1, -3, 1]), group) == 0
    # All copies the same: 12 galaxies in groups of three are worth four.
    assert fraction_design_effect(np.repeat([True, False, False, False], 3), np.repeat(range(4), 3)) == pytest.approx(3)
    assert fraction_design_effect(np.zeros(12, bool), np.repeat(range(4), 3)) == 3


def test_error_of_a_mean_is_the_textbook_one_for_groups_of_one_and_of_group_means_for_equal_groups():
    values = np.random.default_rng(10).gamma(2.0, size=60)
    assert mean_error(values, np.arange(60)) == pytest.approx(np.std(values) / np.sqrt(60))
    assert mean_error(values, np.repeat(np.arange(20), 3)) == pytest.approx(
        np.std(values.reshape(20, 3).mean(axis=1)) / np.sqrt(20)
    )


def test_design_effect_is_that_of_kish_for_equal_groups():
    rng = np.random.default_rng(11)
    is_in = (np.repeat(rng.random(4000), 5) + rng.random(20_000)) < 0.6
    group, table = np.repeat(np.arange(4000), 5), is_in.reshape(4000, 5)
    between, total = table.mean(axis=1).var(), is_in.var()
    correlation = (5 * between / total - 1) / 4  # of two galaxies of a group
    assert 0.2 < correlation < 0.6
    assert fraction_design_effect(is_in, group) == pytest.approx(1 + 4 * correlation)


def test_mad_error_of_a_gaussian_is_1_166_sigma_over_root_n():
    values = np.random.default_rng(12).normal(0, 2, 100_000)
    assert mad_error(values) == pytest.approx(1.166 * 2 / np.sqrt(100_000), rel=0.05)  # densities from counts


def test_values_without_scatter_have_no_mad_error_and_groups_need_one_number_per_galaxy():
    assert np.isnan(mad_error(np.ones(10)))
    with pytest.raises(ValueError, match=r"group_id has shape \(2,\), the galaxies need \(3,\)"):
        number_groups([1, 2], 3)


def test_groups_among_some_galaxies_are_counted_once():
    assert count_groups(np.array([4, 4, 0, 9])) == 3
