import numpy as np
import pytest
from scipy import integrate, stats

from photoz_morph.shards.blends import DISK, MERGER, SPHEROID, STAR
from photoz_morph.simulation.blends.population import (
    draw_field,
    draw_galaxy_mags,
    draw_pair,
    draw_redshift,
    draw_size,
    galaxy_density,
    star_density,
    type_fractions,
)

POOL = {SPHEROID: np.array([0]), DISK: np.array([1]), MERGER: np.array([2, 3]), "is_dry": np.array([0, 0, 0, 1], bool)}
FIELD = (1000, 0, 0.2, "lsst", POOL, 26.0)  # 11 arcmin^2


@pytest.fixture(scope="module")
def field():
    return draw_field(*FIELD, np.random.default_rng(1))


def test_counts_are_the_published_law():
    assert galaxy_density(25.0) == pytest.approx(46)  # LSST Science Book, Eq. 3.7
    assert galaxy_density(24.0) / galaxy_density(23.0) == pytest.approx(10**0.31)
    assert galaxy_density(19.5) / galaxy_density(20.5) == pytest.approx(10**-0.55)
    assert star_density(22.0) == pytest.approx(0.95)


def test_drawn_magnitudes_follow_the_counts():
    limits = np.arange(18, 26.1, 0.5)
    expected = np.diff(galaxy_density(limits))
    mags = draw_galaxy_mags(20_000, 26.0, np.random.default_rng(2))
    observed = np.histogram(mags, limits)[0]
    assert observed.sum() == 20_000
    assert stats.chisquare(observed, expected * 20_000 / expected.sum()).pvalue > 0.001


def test_a_field_has_as_many_galaxies_and_stars_as_the_laws_say(field):
    area = (1000 * 0.2 / 60) ** 2
    is_star = np.array([source.kind == STAR for source in field])
    galaxies, n_stars = area * (galaxy_density(26) - galaxy_density(18)), area * (star_density(26) - star_density(18))
    assert (~is_star).sum() == pytest.approx(galaxies, abs=4 * np.sqrt(galaxies))  # Poisson
    assert is_star.sum() == pytest.approx(n_stars, abs=4 * np.sqrt(n_stars))
    x = np.array([(source.x, source.y) for source in field])
    assert stats.kstest(x.ravel(), stats.uniform(-0.5, 1000).cdf).pvalue > 0.001


def test_one_galaxy_in_ten_is_a_merger_and_at_least_one_in_ten_a_spheroid(field):
    kinds = np.array([source.kind for source in field if source.kind != STAR])
    tolerance = 4 * np.sqrt(0.1 * 0.9 / len(kinds))
    assert np.mean(kinds == MERGER) == pytest.approx(0.10, abs=tolerance)
    assert np.mean(kinds == SPHEROID) == pytest.approx(0.9 * 0.10, abs=tolerance)  # at i = 25.5 only 3 % are E/S0


def test_a_merger_without_gas_is_red_and_one_with_gas_is_not(field):
    mergers = [source for source in field if source.kind == MERGER]
    assert {source.parent for source in mergers} == {2, 3}
    assert all((source.template <= 0.3) == (source.parent == 3) for source in mergers)


def test_type_fractions_are_those_of_benitez():
    np.testing.assert_allclose(type_fractions(20.0), [0.35, 0.50, 0.15])
    early, spiral, irregular = type_fractions(25.0)
    np.testing.assert_allclose([early, spiral], [0.35 * np.exp(-2.25), 0.5 * np.exp(-0.735)])
    assert irregular == pytest.approx(1 - early - spiral)


@pytest.mark.parametrize(
    "spectral_type, alpha, scale", [(0, 2.465, 0.431 + 4 * 0.0913), (2, 0.906, 0.0626 + 4 * 0.123)]
)
def test_redshifts_have_the_density_of_benitez(spectral_type, alpha, scale):
    rng = np.random.default_rng(3)
    drawn = [draw_redshift(24.0, spectral_type, rng) for _ in range(3000)]

    def density(z):
        return z**alpha * np.exp(-((z / scale) ** alpha))

    grid = np.linspace(0, 3, 3001)
    below = integrate.cumulative_trapezoid(density(grid), grid, initial=0)
    assert stats.kstest(drawn, lambda z: np.interp(z, grid, below / below[-1])).pvalue > 0.001


def test_sizes_have_the_median_and_the_spread_of_miller():
    rng = np.random.default_rng(4)
    sizes = np.array([draw_size(23.0, DISK, rng) for _ in range(4000)])
    median = 1.678 * np.exp(-1.145)  # half-light radius of an exponential disk, [arcsec]
    assert np.median(sizes) == pytest.approx(median, rel=0.04)
    # With u = r / a, p(u) ~ u exp(-u^(4/3)): the 10 and 90 % quantiles by integration.
    grid = np.linspace(0, 8, 4001)
    below = integrate.cumulative_trapezoid(grid * np.exp(-(grid ** (4 / 3))), grid, initial=0)
    ratios = np.interp([0.1, 0.9], below / below[-1], grid) / np.interp(0.5, below / below[-1], grid)
    np.testing.assert_allclose(np.quantile(sizes, [0.1, 0.9]) / median, ratios, rtol=0.06)


def test_no_galaxy_is_larger_than_the_maps_of_its_parent_resolve():
    rng = np.random.default_rng(6)
    sizes = np.array([draw_size(18.0, DISK, rng) for _ in range(300)])
    assert 3 < sizes.max() < 4


def test_fluxes_keep_the_magnitude_in_i(field):
    galaxies = [source for source in field if source.kind == DISK]
    assert all(18 <= source.mags[2] <= 26 for source in galaxies)
    assert 0.1 < np.median([source.mags[1] - source.mags[2] for source in galaxies]) < 1.0


def test_pairs_have_the_stated_distances_and_magnitude_differences():
    rng = np.random.default_rng(5)
    pairs = [draw_pair(48, 0.2, "lsst", POOL, 24.0, rng) for _ in range(300)]
    distance = np.array([0.2 * np.hypot(one.x - two.x, one.y - two.y) for one, two in pairs])
    difference = np.array([two.mags[2] - one.mags[2] for one, two in pairs])
    assert stats.kstest(distance, stats.uniform(0.5, 2.7).cdf).pvalue > 0.001
    assert stats.kstest(difference, stats.uniform(-2, 4).cdf).pvalue > 0.001
    assert all(abs(one.x - 23.5) <= 1 and one.mags[2] <= 24 for one, _ in pairs)
    assert {source.kind for pair in pairs for source in pair} == {SPHEROID, DISK}
