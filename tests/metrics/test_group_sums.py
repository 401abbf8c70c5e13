import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics.bootstrap import bootstrap
from photoz_morph.metrics.group_sums import fraction_design_effect, mad_error, number_groups, pair_covariance
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
