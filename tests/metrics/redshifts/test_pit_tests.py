import warnings

import numpy as np
import pytest
import qp
from qp.metrics.pit import PIT
from scipy import stats

from photoz_morph.metrics.bootstrap import bootstrap
from photoz_morph.metrics.redshifts import pit_tests
from photoz_morph.metrics.redshifts.pdf_scores import pit as pit_of
from photoz_morph.redshift_grid import RedshiftGrid

STATISTICS = [pit_tests.pit_ks, pit_tests.pit_cvm, pit_tests.pit_ad]


def qp_pit(z_spec, pdf, grid, **options):
    """qp's own object, from the same bins."""
    return PIT(qp.hist.create_ensemble(bins=grid.edges, pdfs=pdf), z_spec, **options)


def test_statistics_of_one_half_worked_by_hand():
    # Two galaxies at 1/2: the steps go 0, 1 there; expected were 1/4 and 3/4.
    assert pit_tests.pit_ks([0.5, 0.5]) == pytest.approx(0.5)
    assert pit_tests.pit_cvm([0.5, 0.5]) == pytest.approx(1 / 24 + 2 * 0.25**2)


def test_evenly_spaced_pit_is_as_uniform_as_can_be():
    even = (np.arange(100) + 0.5) / 100
    assert pit_tests.pit_ks(even) == pytest.approx(0.005)
    assert pit_tests.pit_cvm(even) == pytest.approx(1 / 1200)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_worse_calibrated_pdfs_have_a_larger_statistic(statistic):
    pit = np.random.default_rng(1).random(500)
    assert statistic(pit) < statistic(pit**1.2) < statistic(pit**1.5)


@pytest.mark.parametrize("beyond", [0, 60])  # galaxies off the grid have a PIT of 0 or 1, many times
def test_ks_cvm_and_ad_agree_with_qp(beyond):
    grid, rng = RedshiftGrid(), np.random.default_rng(2)
    pdf = rng.dirichlet(np.full(180, 0.3), size=300)
    z_spec = rng.uniform(0.02, 0.38, 300)
    z_spec[:beyond] += rng.choice([-0.5, 0.5], beyond)
    theirs, ours = qp_pit(z_spec, pdf, grid), pit_of(z_spec, pdf, grid)
    np.testing.assert_allclose(ours, theirs.pit_samps, atol=1e-12)
    assert pit_tests.pit_ks(ours) == pytest.approx(theirs.evaluate_PIT_KS().statistic, rel=1e-9)
    assert pit_tests.pit_cvm(ours) == pytest.approx(theirs.evaluate_PIT_CvM().statistic, rel=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scipy, that its p-value is capped
        expected = theirs.evaluate_PIT_anderson_ksamp().statistic
    assert pit_tests.pit_ad(ours) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("pit", [[0.0, 0.0], [1.0, 0.0, 0.5, 0.5, 1.0], [0.25, 0.25, 0.5, 0.75, 0.9]])
def test_ad_with_ties_agrees_with_scipy(pit):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a capped p-value
        expected = stats.anderson_ksamp([pit, np.linspace(0, 1, len(pit))]).statistic
    assert pit_tests.pit_ad(pit) == pytest.approx(expected, rel=1e-9)


def test_ninety_five_of_a_hundred_calibrated_samples_stay_below_the_printed_limits():
    n, samples = 400, np.sort(np.random.default_rng(3).random((2000, 400)), axis=-1)
    for statistic, limit in zip(STATISTICS, (pit_tests.CALIBRATED_KS / np.sqrt(n), pit_tests.CALIBRATED_CVM,
                                             pit_tests.CALIBRATED_AD)):  # fmt: skip
        fraction = np.mean(statistic(samples) < limit)
        assert fraction == pytest.approx(0.95, abs=0.015), statistic.__name__  # 3 binomial errors


def test_ad_of_one_galaxy_is_refused():
    with pytest.raises(ValueError, match="two galaxies or more, got 1"):
        pit_tests.pit_ad([0.5])


@pytest.mark.parametrize("statistic", [*STATISTICS, pit_tests.pit_outlier_rate, pit_tests.coverage])
def test_empty_and_non_finite_pit_is_refused(statistic):
    with pytest.raises(ValueError, match="pit is empty"):
        statistic([])
    with pytest.raises(ValueError, match="pit: 1 of 2 values are not finite"):
        statistic([0.5, np.nan])


def test_outliers_are_counted_at_both_ends_and_the_limits_are_inside():
    pit = [0.0, 0.00005, 0.0001, 0.5, 0.9999, 0.99995, 1.0, 0.3]
    assert pit_tests.pit_outlier_rate(pit) == pytest.approx(4 / 8)


def test_outlier_rate_agrees_with_qp_as_far_as_qp_resolves_it():
    # A flat PDF on 0 to 1: PIT is z_spec. A tenth of the galaxies below 0.0001, a twentieth above 0.9999.
    rng, n = np.random.default_rng(4), 2000
    low, high = rng.uniform(1e-6, 9e-5, n // 10), 1 - rng.uniform(1e-6, 9e-5, n // 20)
    z_spec = np.concatenate([low, high, rng.uniform(0.01, 0.99, n - len(low) - len(high))])
    flat, pdf = RedshiftGrid(0.0, 1.0, 1), np.ones((n, 1))
    ours = pit_tests.pit_outlier_rate(pit_of(z_spec, pdf, flat))
    assert ours == pytest.approx(0.15)
    # Its 100 quantiles are a hundredth apart, at both ends.
    assert qp_pit(z_spec, pdf, flat).evaluate_PIT_outlier_rate() == pytest.approx(ours, abs=0.02)


def test_bootstrap_error_of_the_outlier_rate_is_binomial():
    pit = np.where(np.arange(5000) < 500, 0.0, 0.5)
    error = bootstrap(pit_tests.pit_outlier_rate, pit, 1000, seed=1).std()
    assert error == pytest.approx(np.sqrt(0.1 * 0.9 / 5000), rel=0.1)  # 4 / sqrt(2 x 1000)


def test_bootstrap_error_of_ks_is_that_of_the_fraction_at_the_largest_distance():
    # A third of the galaxies at 0: the distance is their fraction, and nowhere else near.
    pit = np.concatenate([np.zeros(1000), (np.arange(2000) + 0.5) / 2000])
    assert pit_tests.pit_ks(pit) == pytest.approx(1 / 3, abs=1e-3)
    error = bootstrap(pit_tests.pit_ks, pit, 1000, seed=1).std()
    assert error == pytest.approx(np.sqrt(1 / 3 * 2 / 3 / 3000), rel=0.1)


def test_bootstrap_errors_of_cvm_and_ad_match_repeated_samples():
    # For PIT far from uniform, where resampling adds little roughness of its own.
    rng = np.random.default_rng(5)
    samples = np.sort(rng.random((400, 1000)) ** 1.5, axis=-1)
    for statistic in (pit_tests.pit_cvm, pit_tests.pit_ad):
        repeated = statistic(samples).std()
        error = bootstrap(statistic, samples[0], 400, seed=1).std()
        assert error == pytest.approx(repeated, rel=0.25)  # one sample's own scatter


def test_coverage_of_five_galaxies_worked_by_hand():
    # Central 50 %: 0.25 to 0.75; central 90 %: 0.05 to 0.95.
    fraction, error = pit_tests.coverage([0.01, 0.2, 0.4, 0.7, 0.9], levels=[0.5, 0.9])
    np.testing.assert_allclose(fraction, [2 / 5, 4 / 5])
    np.testing.assert_allclose(error, [np.sqrt(2.5 * 3.5 / 6**2 / 7), np.sqrt(4.5 * 1.5 / 6**2 / 7)])


def test_coverage_of_calibrated_pdfs_is_the_level_within_its_error():
    fraction, error = pit_tests.coverage(np.random.default_rng(6).random(40_000))
    levels = np.array(pit_tests.COVERAGE_LEVELS)
    np.testing.assert_array_less(np.abs(fraction - levels), 4 * error)
    np.testing.assert_allclose(error, np.sqrt(levels * (1 - levels) / 40_000), rtol=0.05)


def test_too_narrow_pdfs_cover_too_little():
    grid, rng, n = RedshiftGrid(), np.random.default_rng(7), 5000
    centre = rng.uniform(0.1, 0.3, n)
    pdf = np.diff(stats.norm.cdf(grid.edges, centre[:, None], 0.01), axis=1)
    (fraction,), _ = pit_tests.coverage(pit_of(rng.normal(centre, 0.02), pdf, grid), levels=[0.68])
    assert fraction == pytest.approx(0.38, abs=0.03)  # of half a sigma to either side: 2 Phi(0.497) - 1


def test_level_in_per_cent_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        pit_tests.coverage([0.5], levels=[68])


def test_coverage_of_copies_has_the_error_of_the_originals():
    pit = np.random.default_rng(8).random(3000)
    fraction, error = pit_tests.coverage(pit)
    group_id = np.tile(np.arange(3000), 2)
    of_copies, error_of_copies = pit_tests.coverage(np.tile(pit, 2), group_id=group_id)
    np.testing.assert_allclose(of_copies, fraction)
    np.testing.assert_allclose(error_of_copies, error, rtol=1e-3)
    np.testing.assert_allclose(pit_tests.coverage(np.tile(pit, 2))[1], error / np.sqrt(2), rtol=1e-3)
    _, none_inside = pit_tests.coverage(np.zeros(6000), [0.5], group_id)
    assert none_inside == pytest.approx(np.sqrt(0.5) / 3000, rel=1e-3)
