import numpy as np
import pytest
from scipy.stats import norm

from photoz_morph.metrics.redshifts.pdf_scores import pit
from photoz_morph.photoz.report.figures.pdfs import galaxies_with_pdf, pit_histogram, rescaled_pit
from photoz_morph.surveys import SDSS
from tests.support.figures import steps
from tests.support.reports import GRID, predictions, stamps


def lines_named(axes, text):
    return [line for line in axes.get_lines() if text in line.get_label()]


def test_galaxy_panel_shows_its_pdf_its_redshifts_and_its_interval():
    table = predictions(n=3)
    figure = galaxies_with_pdf(stamps(3), table, GRID, "toy")
    image_axes, pdf_axes = figure.axes[2:4]
    assert lines_named(pdf_axes, "spec")[0].get_xdata()[0] == table["z_spec"][1]
    assert lines_named(pdf_axes, "mean of the PDF")[0].get_xdata()[0] == table["z_phot"][1]
    interval, steps = pdf_axes.patches
    assert interval.get_extents().transformed(pdf_axes.transData.inverted()).x0 == pytest.approx(table["z_lower"][1])
    np.testing.assert_allclose(np.sum(steps.get_data().values) * GRID.width, 1, rtol=1e-5)  # a density
    assert str(table["obj_id"][1]) in pdf_axes.get_title() and f"{table['ra'][1]:.5f}" in pdf_axes.get_title()
    (bar,) = lines_named(image_axes, "scale bar")
    assert np.ptp(bar.get_xdata()) * SDSS.pixel_scale == pytest.approx(5.0)


def test_north_is_up_and_east_left():
    axes = galaxies_with_pdf(stamps(1), predictions(n=1), GRID).axes[0]
    (image,) = axes.images
    assert image.origin == "lower"
    # The source of `stamps` is at high row (north) and low column (east).
    row, column = np.unravel_index(np.argmax(image.get_array().sum(axis=2)), (64, 64))
    x, y = axes.transData.transform((column, row)) - axes.transData.transform((32, 32))
    assert x < 0 and y > 0
    places = {text.get_text(): text.get_position() for text in axes.texts}
    assert places["N"][1] > places["E"][1] and places["E"][0] < places["N"][0]


@pytest.mark.parametrize("origin, words", [("simulated", "simulated pixels"), ("stacked", "real SDSS pixels")])
def test_title_tells_the_origin_of_the_pixels(origin, words):
    figure = galaxies_with_pdf(stamps(1), predictions(n=1, origin=origin), GRID, "toy")
    assert figure.get_suptitle() == f"toy ({words})"


def test_flagged_galaxy_and_unknown_redshift_are_said_so():
    table = predictions(n=2)
    table["flag"][0], table["z_spec"][1] = 1, np.nan
    figure = galaxies_with_pdf(stamps(2), table, GRID)
    assert "no PDF (flagged)" in [text.get_text() for text in figure.axes[1].texts]
    assert not lines_named(figure.axes[3], "spec") and "unknown" in figure.axes[3].get_title()


def test_images_without_predictions_are_refused():
    with pytest.raises(ValueError, match="2 images and 3 predictions"):
        galaxies_with_pdf(stamps(2), predictions(n=3), GRID)


def test_pit_histogram_is_a_density_with_the_band_of_a_flat_one():
    pit = np.random.default_rng(0).random(20_000)
    axes = pit_histogram(pit, "toy").axes[0]
    band, steps = axes.patches
    bars = steps.get_data().values
    assert bars.mean() == pytest.approx(1)
    low, high = band.get_y(), band.get_y() + band.get_height()
    assert np.mean((bars > low) & (bars < high)) >= 0.8  # 95 % of 20 bars expected


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
