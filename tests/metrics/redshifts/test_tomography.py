import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics.redshifts import tomography
from photoz_morph.metrics.redshifts.tomography import bin_limits, bin_of, stacked, tomographic_bins, wasserstein
from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid()
SHIFTS = ("shift", "z_phot_shift")


def calibrated(n=4000, sigma=0.015, offset=0.0, seed=0):
    """z_spec drawn from Gaussian PDFs about scattered centres, moved by an offset."""
    rng = np.random.default_rng(seed)
    centre = 0.08 + 0.2 * rng.beta(2, 3, n)
    pdf = np.exp(-0.5 * ((GRID.midpoints - centre[:, None] - offset) / sigma) ** 2)
    pdf /= pdf.sum(axis=1, keepdims=True)
    return centre + sigma * rng.normal(size=n), GRID.expectation(pdf), pdf


def test_bins_hold_equally_many_galaxies_in_order():
    z_spec, z_phot, pdf = calibrated(1000)
    bins, everything = tomographic_bins(z_spec, z_phot, pdf, GRID, 4)
    assert [one.n for one in bins] == [250] * 4 and everything.n == 1000
    assert all(one.high == two.low and one.z_phot < two.z_phot for one, two in zip(bins, bins[1:]))
    number = bin_of(z_phot, bin_limits(z_phot, 4))
    for index, one in enumerate(bins):
        here = number == index
        assert one.z_spec == pytest.approx(z_spec[here].mean()) and one.width == pytest.approx(z_spec[here].std())
        assert one.z_pdf == pytest.approx((stacked(pdf[here]) * GRID.midpoints).sum())


def test_calibrated_pdfs_know_the_mean_redshift_of_every_bin():
    shifts = []
    for seed in range(8):
        bins, _ = tomographic_bins(*calibrated(1500, seed=seed), GRID)
        shifts += [one.shift / one.shift_error for one in bins]
    assert abs(np.mean(shifts)) < 4 / 40**0.5 and 0.7 < np.std(shifts) < 1.3


def test_an_offset_of_the_pdfs_is_the_shift_of_every_bin():
    bins, everything = tomographic_bins(*calibrated(offset=0.004), GRID)
    for one in (*bins, everything):
        for name in SHIFTS:
            assert getattr(one, name) == pytest.approx(0.004 / (1 + one.z_spec), abs=4 * getattr(one, f"{name}_error"))
        assert one.wasserstein > 2 * one.wasserstein_noise
    assert everything.wasserstein == pytest.approx(0.004, abs=3 * everything.wasserstein_noise)


def test_distances_of_calibrated_pdfs_are_those_of_noise():
    found = [one for seed in range(6) for one in tomographic_bins(*calibrated(1500, seed=seed), GRID)[0]]
    assert np.mean([one.wasserstein / one.wasserstein_noise for one in found]) == pytest.approx(1, abs=0.25)
    assert np.mean([one.kl / one.kl_noise for one in found]) == pytest.approx(1, abs=0.35)
    assert np.mean([one.cvm / one.cvm_noise for one in found]) == pytest.approx(1, abs=0.4)


def test_noise_of_narrow_pdfs_is_below_that_of_draws_from_the_whole_distribution():
    _, everything = tomographic_bins(*calibrated(2000, sigma=0.004), GRID)
    assert everything.cvm_noise * 2000 < 0.5 / 6  # the mean of independent draws from one distribution is 1/6
    assert 0.3 < everything.cvm / everything.cvm_noise < 4


def test_noise_of_many_galaxies_is_that_of_fewer_scaled(monkeypatch):
    whole = tomographic_bins(*calibrated(3000), GRID, 1)[1]
    monkeypatch.setattr(tomography, "MAX_DRAWN", 700)
    part = tomographic_bins(*calibrated(3000), GRID, 1)[1]
    for name in ("wasserstein_noise", "cvm_noise", "kl_noise"):
        assert getattr(part, name) == pytest.approx(getattr(whole, name), rel=0.35)


def test_wasserstein_is_that_of_scipy():
    rng = np.random.default_rng(0)
    z = np.sort(rng.normal(0.2, 0.05, 300))
    edges = np.linspace(0, 0.4, 41)
    cdf = np.concatenate([[0], np.cumsum(rng.dirichlet(np.ones(40)))])
    fine = np.interp((np.arange(200_000) + 0.5) / 200_000, cdf, edges)
    assert wasserstein(z, edges, cdf) == pytest.approx(stats.wasserstein_distance(z, fine), abs=2e-6)


def test_cvm_is_that_of_scipy():
    z_spec, z_phot, pdf = calibrated(200)
    _, everything = tomographic_bins(z_spec, z_phot, pdf, GRID, 1)
    cdf = GRID.cdf(stacked(pdf)[None])[0]
    expected = stats.cramervonmises(z_spec, lambda z: np.interp(z, GRID.edges, cdf)).statistic
    assert everything.cvm * 200 == pytest.approx(expected)


def test_overlap_and_outliers_are_fractions_of_the_bin():
    z_phot = np.r_[np.full(100, 0.1), np.full(100, 0.3)] + 1e-4 * np.arange(200) / 200
    z_spec = z_phot.copy()
    z_spec[:20] = 0.31  # of the first bin, in the range of the second, and beyond 0.15 (1 + z)
    bins, everything = tomographic_bins(z_spec, z_phot, n_bins=2)
    assert [one.overlap for one in bins] == [0.2, 0] and [one.outliers for one in bins] == [0.2, 0]
    assert everything.overlap == 0 and everything.outliers == 0.1 and bins[1].outliers_error > 0
    assert np.isnan(bins[0].z_pdf) and np.isnan(bins[0].wasserstein)


def test_copies_of_a_galaxy_do_not_make_the_mean_more_certain():
    z_spec, z_phot, pdf = calibrated(600)
    once, _ = tomographic_bins(z_spec, z_phot, pdf, GRID, 2)
    copies = [np.concatenate([array] * 4) for array in (z_spec, z_phot, pdf)]
    four, _ = tomographic_bins(*copies, GRID, 2, np.tile(np.arange(600), 4))
    for one, other in zip(once, four):
        assert other.shift == pytest.approx(one.shift) and other.n == 4 * one.n and other.n_groups == one.n_groups
        assert other.shift_error == pytest.approx(one.shift_error)
        assert other.wasserstein_noise == pytest.approx(one.wasserstein_noise, rel=0.3)


def test_few_galaxies_make_fewer_bins_or_none():
    z_spec, z_phot, pdf = calibrated(70)
    assert len(tomographic_bins(z_spec, z_phot, pdf, GRID)[0]) == 2
    assert tomographic_bins(z_spec[:20], z_phot[:20], pdf[:20], GRID) == ([], None)
    assert len(tomographic_bins(z_spec, np.full(70, 0.1))[0]) == 1


def test_shapes_that_differ_are_refused():
    z_spec, z_phot, pdf = calibrated(50)
    with pytest.raises(ValueError, match="50 z_spec but 49 z_phot"):
        tomographic_bins(z_spec, z_phot[1:])
    with pytest.raises(ValueError, match="49 PDFs but 50 z_spec"):
        tomographic_bins(z_spec, z_phot, pdf[1:], GRID)
