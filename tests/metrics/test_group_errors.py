import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics.group_errors import (
    group_bootstrap,
    interval,
    mcnemar,
    mcnemar_of_groups,
    mean_with_interval,
)


def mean_of(sums):
    return sums[:, 0] / sums[:, 1]


def with_ones(values):
    return np.stack([values, np.ones(len(values))], axis=1)


def test_bootstrap_of_single_galaxies_has_the_binomial_error():
    right = np.random.default_rng(1).random(2000) < 0.7
    resampled = group_bootstrap(mean_of, with_ones(right), np.arange(2000), 4000)
    expected = np.sqrt(right.mean() * (1 - right.mean()) / 2000)
    assert resampled.std() == pytest.approx(expected, rel=0.05)  # 4000 resamples: 1.1 % per sigma
    assert resampled.mean() == pytest.approx(right.mean(), abs=4 * expected / np.sqrt(4000))


def test_copies_of_a_galaxy_make_the_error_no_smaller():
    right = np.random.default_rng(2).random(400) < 0.6
    single = group_bootstrap(mean_of, with_ones(right), np.arange(400), 500).std()
    copies = group_bootstrap(mean_of, with_ones(np.repeat(right, 5)), np.repeat(np.arange(400), 5), 500).std()
    as_if_independent = group_bootstrap(mean_of, with_ones(np.repeat(right, 5)), np.arange(2000), 500).std()
    assert copies == pytest.approx(single, rel=1e-12)
    assert as_if_independent == pytest.approx(single / np.sqrt(5), rel=0.15)


def test_bootstrap_keeps_galaxies_of_a_group_together_in_any_order():
    terms, group_id = np.array([[1.0, 1], [0, 1], [1, 1], [0, 1]]), np.array([7, 3, 7, 3])
    assert set(np.round(group_bootstrap(mean_of, terms, group_id, 200), 12)) == {0, 0.5, 1}  # both groups, or one twice


def test_same_seed_resamples_the_same_groups():
    values, group_id = np.random.default_rng(3).random(300), np.arange(300) // 3
    first, second = (group_bootstrap(mean_of, with_ones(values + shift), group_id, 50) for shift in (0, 0.1))
    np.testing.assert_allclose(second - first, 0.1)
    assert not np.allclose(first, group_bootstrap(mean_of, with_ones(values), group_id, 50, seed=1))


def test_one_group_has_no_bootstrap_error():
    with pytest.raises(ValueError, match="two groups or more, got 1"):
        group_bootstrap(mean_of, np.ones((5, 2)), np.zeros(5, int))


def test_interval_of_one_part_is_that_of_students_t():
    values = np.random.default_rng(4).normal(size=3)
    error = values.std(ddof=1) / np.sqrt(3)
    low, high = stats.t.interval(0.95, 2, values.mean(), error)
    assert interval(values.mean(), [(error, 2)])["interval"] == pytest.approx([low, high])


def test_interval_of_two_parts_is_welchs():
    rng = np.random.default_rng(5)
    first, second = rng.normal(0, 1, 4), rng.normal(0, 3, 6)
    reference = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    parts = [(values.std(ddof=1) / np.sqrt(len(values)), len(values) - 1) for values in (first, second)]
    ours = interval(second.mean() - first.mean(), parts)
    assert ours["interval"] == pytest.approx([reference.low, reference.high])
    assert ours["error"] == pytest.approx(np.hypot(parts[0][0], parts[1][0]))


def test_interval_without_error_is_a_point():
    assert interval(1, [(0.0, 9)]) == {"value": 1.0, "error": 0.0, "interval": [1.0, 1.0]}


def outcomes(only_first, only_second, both=3):
    first = np.repeat([1, 0, 1], [only_first, only_second, both]).astype(bool)
    return first, np.repeat([0, 1, 1], [only_first, only_second, both]).astype(bool)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [(0, 0, 1.0), (1, 5, 2 * (1 + 6) / 64), (5, 1, 2 * (1 + 6) / 64), (0, 10, 2 / 1024), (4, 4, 1.0)],
)
def test_mcnemar_worked_by_hand(only_first, only_second, p_value):
    test = mcnemar(*outcomes(only_first, only_second))
    assert (test["only_first"], test["only_second"]) == (only_first, only_second)
    assert test["p_value"] == pytest.approx(p_value)


def test_mcnemar_of_many_galaxies_is_the_chi_squared_test():
    chi_squared = (abs(250 - 310) - 1) ** 2 / (250 + 310)  # with Edwards's correction
    assert mcnemar(*outcomes(250, 310))["p_value"] == pytest.approx(stats.chi2.sf(chi_squared, 1), rel=0.02)


def test_mcnemar_is_no_better_for_copies_when_groups_vote():
    first, second = outcomes(1, 5)
    copies = [np.repeat(right, 4)[:, None] for right in (first, second)]
    groups = mcnemar_of_groups(*copies, np.repeat(np.arange(len(first)), 4))
    assert groups == mcnemar(first, second)
    assert mcnemar(copies[0][:, 0], copies[1][:, 0])["p_value"] < groups["p_value"] / 10


def test_seeds_that_cancel_within_a_group_are_no_vote():
    first = np.array([[1, 1, 0], [0, 0, 1], [1, 0, 0]], bool)  # one group: means 2/3, 1/3, 1/3
    second = np.array([[1, 0, 0], [1, 0, 1], [0, 1, 0]], bool)  # 1/3, 2/3, 1/3
    assert mcnemar_of_groups(first, second, [4, 4, 4]) == {"only_first": 0, "only_second": 0, "p_value": 1.0}


def test_gains_that_cancel_but_for_rounding_are_no_vote():
    """Thirds that add up to 6e-17 in float64."""
    first = np.array([[0, 1, 0], [0, 1, 1], [0, 1, 1], [1, 0, 1], [1, 0, 0], [0, 0, 0]], bool)
    second = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [1, 0, 0], [1, 0, 0], [0, 0, 0]], bool)
    assert first.sum() == second.sum() and np.sum(second.mean(axis=1) - first.mean(axis=1)) != 0
    assert mcnemar_of_groups(first, second, [7] * 6) == {"only_first": 0, "only_second": 0, "p_value": 1.0}


def test_tables_of_other_lengths_and_single_resamples_are_refused():
    with pytest.raises(ValueError, match="3 group_id but 5 galaxies"):
        group_bootstrap(mean_of, np.ones((5, 2)), np.arange(3))
    with pytest.raises(ValueError, match="at least 2 resamples, got 1"):
        group_bootstrap(mean_of, np.ones((5, 2)), np.arange(5), 1)


def test_a_mean_and_a_root_mean_square_come_with_intervals_that_resample_groups():
    rng = np.random.default_rng(3)
    of_group = rng.normal(1.0, 2.0, 400)
    groups = np.repeat(np.arange(400), 5)
    values = np.append(of_group[groups], np.nan)
    found = mean_with_interval(values, np.append(groups, 0))
    assert found["n"] == 2000 and found["value"] == pytest.approx(of_group.mean())
    half = np.diff(found["interval"])[0] / 2
    assert half == pytest.approx(1.96 * of_group.std() / np.sqrt(400), rel=0.1)  # of 400 groups, not of 2,000 values
    spread = mean_with_interval(values, np.append(groups, 0), "rms")
    assert spread["value"] == pytest.approx(np.sqrt(np.mean(of_group**2)))
    assert np.isnan(mean_with_interval(np.ones(3), np.zeros(3))["value"])  # one group has no interval
