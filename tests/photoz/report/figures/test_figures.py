import numpy as np
import pytest
from scipy.stats import norm

from photoz_morph.metrics.redshifts.pdf_scores import pit
from photoz_morph.metrics.redshifts.point_scores import ETA_THRESHOLD
from photoz_morph.photoz.report.figures.pdfs import pit_histogram, rescaled_pit
from photoz_morph.photoz.report.figures.point_estimates import (
    MIN_GALAXIES,
    bias_trends,
    binned_mean,
    residual_histogram,
)
from photoz_morph.photoz.report.figures.sample import linear_rgb, random_stamps, redshifts_and_magnitudes, sky_map
from photoz_morph.photoz.report.figures.training import loss_curves
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS

GRID = RedshiftGrid()


def sample(n=3000, sigma=0.02, seed=0):
    rng = np.random.default_rng(seed)
    z_spec = rng.uniform(0.05, 0.35, n)
    return z_spec, z_spec + rng.normal(0.002, sigma, n) * (1 + z_spec)


def steps(axes):
    return [patch for patch in axes.patches if hasattr(patch, "get_data")]


# Residuals


def test_residual_histogram_holds_every_galaxy_and_hatches_the_outliers():
    z_spec, z_phot = sample()
    residual = (z_phot - z_spec) / (1 + z_spec)
    linear, logarithmic = residual_histogram(z_spec, z_phot, "toy").axes
    bars, _, outliers = steps(logarithmic)
    assert bars.get_data().values.sum() == len(z_spec)
    hatched = outliers.get_data()
    assert outliers.get_hatch() and hatched.values.sum() == np.sum(np.abs(residual) > ETA_THRESHOLD) > 0
    inner = 0.5 * (hatched.edges[1:] + hatched.edges[:-1])
    assert hatched.values[np.abs(inner) < ETA_THRESHOLD].sum() == 0
    assert linear.get_xlabel() == logarithmic.get_xlabel() and "spec" in linear.get_xlabel()


def test_gaussian_of_residuals_has_their_number_bias_and_width():
    linear, _ = residual_histogram(*sample(20_000), "toy").axes
    (curve,) = [line for line in linear.get_lines() if "Gaussian" in line.get_label()]
    x, y = curve.get_data()
    mean = np.sum(x * y) / np.sum(y)
    assert np.sum(y) == pytest.approx(20_000, rel=1e-3)
    assert mean == pytest.approx(0.002, abs=5e-4)  # three times 0.02 / sqrt(20,000)
    assert np.sqrt(np.sum((x - mean) ** 2 * y) / np.sum(y)) == pytest.approx(0.02, rel=0.05)


def test_residuals_beyond_the_axis_are_counted():
    _, logarithmic = residual_histogram(np.full(5, 0.1), [0.1, 0.1, 0.1, 0.1, 0.39], "toy").axes
    assert "1 beyond 0.15" in [text.get_text() for text in logarithmic.texts]


def test_binned_mean_is_that_of_each_bin_and_small_bins_are_left_out():
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.uniform(0, 0.1, 50), rng.uniform(0.1, 0.2, MIN_GALAXIES - 1), rng.uniform(0.2, 0.3, 70)])
    values = rng.normal(1e3, 0.01, len(x))
    centre, mean, error = binned_mean(x, values, np.linspace(0, 0.3, 4))
    for index, inside in enumerate((x < 0.1, x >= 0.2)):
        assert centre[index] == pytest.approx(x[inside].mean())
        assert mean[index] == pytest.approx(values[inside].mean())
        assert error[index] == pytest.approx(values[inside].std(ddof=1) / np.sqrt(inside.sum()), rel=1e-6)
    assert len(mean) == 2


def test_bias_is_flat_against_z_phot_and_falls_against_z_spec_for_a_shrunken_estimate():
    # E[z_spec | z_phot] = z_phot for a posterior mean, so only the trend against z_spec remains.
    rng = np.random.default_rng(5)
    z_phot = rng.normal(0.15, 0.03, 20_000)
    z_spec = z_phot + rng.normal(0, 0.02, 20_000)
    figure = bias_trends(z_spec, z_phot, "toy")
    spec, phot = ([container for container in axes.containers][0] for axes in figure.axes[:2])
    against_spec, against_phot = spec[0].get_ydata(), phot[0].get_ydata()
    assert against_spec[0] > 0.01 and against_spec[-1] < -0.01
    assert np.abs(against_phot[2:-2]).max() < 0.003
    histograms = [steps(axes)[0].get_data().values.sum() for axes in figure.axes[2:]]
    assert histograms == [20_000, 20_000]
    assert "spec" in figure.axes[0].get_xlabel() and "phot" in figure.axes[1].get_xlabel()


def test_redshifts_that_are_not_finite_are_refused():
    for figure in (residual_histogram, bias_trends):
        with pytest.raises(ValueError, match="not finite"):
            figure(np.array([0.1, np.nan]), np.array([0.1, 0.1]), "toy")


# PIT


def gaussian_pdfs(n=2000, sigma=0.02, seed=1):
    """True redshifts and PDFs they are drawn from."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(0.12, 0.28, n)
    pdf = np.diff(norm.cdf((GRID.edges - centre[:, None]) / sigma), axis=1)
    return centre + rng.normal(0, sigma, n), pdf, centre


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
def test_rescaled_pit_is_that_of_gaussians_of_another_width(factor):
    z_spec, pdf, centre = gaussian_pdfs()
    expected = norm.cdf((z_spec - centre) / (factor * 0.02))
    np.testing.assert_allclose(rescaled_pit(z_spec, pdf, GRID, factor), expected, atol=2e-3)  # linear inside a bin


def test_pit_figure_shows_mean_members_and_both_widths():
    z_spec, pdf, _ = gaussian_pdfs()
    values = pit(z_spec, pdf, GRID)
    members = np.stack([values, values**1.2, values**0.9], axis=1)
    rescaled = {name: rescaled_pit(z_spec, pdf, GRID, factor) for name, factor in (("wider", 1.2), ("narrower", 0.8))}
    figure = pit_histogram(values, "toy", 10, members, rescaled)
    axes = figure.axes[0]
    shown = [step.get_data().values for step in steps(axes)]
    drawn = [*members.T, *rescaled.values(), values]
    for bars, expected in zip(shown, drawn, strict=True):
        np.testing.assert_allclose(bars, np.histogram(expected, 10, (0, 1))[0] / 200)
    wider, narrower = shown[3], shown[4]
    assert wider[0] < 0.8 < 1.2 < narrower[0]  # wider PDFs give a hump, narrower ones horns
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sum("3 members" in text for text in texts) == 1 and "n = 2,000" in texts[-1]


# Sample


def test_sample_histograms_hold_every_galaxy():
    z_spec, z_phot = sample(500)
    r_mag = np.random.default_rng(0).uniform(14.5, 17.8, 500)
    redshift, magnitude, plane = redshifts_and_magnitudes(z_spec, z_phot, r_mag, "toy").axes[:3]
    assert steps(redshift)[0].get_data().values.sum() == 500
    assert steps(magnitude)[0].get_data().values.sum() == 500
    assert plane.collections[0].get_array().sum() == 500
    assert plane.get_ylim()[0] > plane.get_ylim()[1]  # bright galaxies at the top
    assert "[mag]" in magnitude.get_xlabel() and "[mag]" in plane.get_ylabel()


def test_sample_without_magnitudes_says_so():
    figure = redshifts_and_magnitudes(*sample(50), np.full(50, np.nan), "toy")
    assert "no magnitudes" in [text.get_text() for text in figure.axes[1].texts]


def test_sky_map_shows_the_mean_reddening_where_the_galaxies_are_with_east_left():
    ra, dec = np.array([201.0, 201.0, 30.9]), np.array([31.0, 31.0, -10.9])
    axes = sky_map(ra, dec, [0.1, 0.3, 0.05], "toy").axes[0]
    mesh = axes.collections[0]
    cells = np.ma.masked_array(mesh.get_array())
    corners = np.rad2deg(mesh.get_coordinates()[:-1, :-1])
    found = {tuple(corners[row, column]): cells[row, column] for row, column in np.argwhere(~cells.mask)}
    # RA 201 lies 21 deg to the left of the centre at RA 180; RA 30.9 wraps round to 149.1 on the right.
    assert {(round(x), round(y)): round(float(value), 3) for (x, y), value in found.items()} == {
        (-22, 30): 0.2, (148, -12): 0.05
    }  # fmt: skip


def test_small_field_across_ra_zero_stays_in_one_piece():
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(-1, 1, 300) % 360, rng.uniform(59, 61, 300)
    figure = sky_map(ra, dec, np.full(300, 0.02), "toy")
    axes = figure.axes[0]
    left, right = axes.get_xlim()
    assert left > right and left - right < 3  # east left
    assert axes.xaxis.get_major_formatter()(359.5, 0) == axes.xaxis.get_major_formatter()(-0.5, 0) == "359.5"
    # Square on the sky: a degree of RA is half a degree long at Dec 60.
    assert axes.get_aspect() == pytest.approx(2, rel=0.05)
    assert np.ma.count(axes.collections[0].get_array()) > 100


# Stamps


def test_linear_colours_are_linear_between_black_and_white():
    stamp = np.ones((1, 2, 2, 5)) / np.array([4, 2.5, 1.5, 1.0, 0.8])  # neutral in BAND_SCALES
    levels = [linear_rgb(stamp * flux, SDSS)[0, 0, 0] ** 2.2 for flux in (0.2, 0.4, 10.0)]
    np.testing.assert_allclose(levels[1], 2 * levels[0], rtol=1e-5)
    np.testing.assert_allclose(levels[0], levels[0][0], rtol=1e-5)  # grey
    np.testing.assert_array_equal(levels[2], 1)


def test_saturation_spreads_the_colours_and_missing_pixels_are_grey():
    stamp = np.ones((1, 2, 2, 5)) * np.array([0, 0.1, 0.2, 0.5, 0])
    red, green, blue = linear_rgb(stamp, SDSS, saturation=2)[0, 0, 0]
    pale = linear_rgb(stamp, SDSS, saturation=0)[0, 0, 0]
    assert red > green > blue and pale[0] == pytest.approx(pale[2])
    stamp[0, 1, 1, 2] = np.nan
    np.testing.assert_array_equal(linear_rgb(stamp, SDSS)[0, 1, 1], 0.5)


def test_stamps_name_redshift_and_magnitude_and_have_a_scale():
    stamps = np.zeros((3, *SDSS.image_shape))
    figure = random_stamps(stamps, SDSS, [0.1, np.nan, 0.2], [17.0, 16.5, np.nan], "Random simulated galaxies")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["z = 0.100, r = 17.00", "z unknown, r = 16.50", "z = 0.200"]
    (bar,) = figure.axes[0].get_lines()
    assert np.ptp(bar.get_xdata()) * SDSS.pixel_scale == pytest.approx(5.0)
    assert "simulated" in figure.get_suptitle()


# Training


def test_loss_curves_show_every_member_and_name_each_line_once():
    epoch = np.arange(1.0, 6)
    histories = [
        {"epoch": epoch, "loss": 3 + seed / epoch, "validation_loss": 3.1 + seed / epoch,
         "validation_sigma_mad": 0.01 + 0.01 / epoch, "learning_rate": 1e-3 / epoch}
        for seed in (1, 2, 3)
    ]  # fmt: skip
    loss, sigma, rate = loss_curves(histories, "toy").axes
    drawn = [line.get_ydata() for line in loss.get_lines()]
    expected = [history[name] for history in histories for name in ("loss", "validation_loss")]
    np.testing.assert_array_equal(drawn, expected)
    assert len(sigma.get_lines()) == len(rate.get_lines()) == 3
    assert len(loss.get_legend().get_texts()) == 2
    assert rate.get_xlabel() == "epoch" and "nat" in loss.get_ylabel()
    with pytest.raises(ValueError, match="history of one member"):
        loss_curves([], "toy")
