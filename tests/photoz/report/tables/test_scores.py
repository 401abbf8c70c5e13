import csv
import io
import sys

import numpy as np
import pytest
from matplotlib.image import imread

from photoz_morph.metrics.redshifts.point_scores import SCORES
from photoz_morph.photoz.evaluation.comparison import compare
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.predictions import predictions_table
from photoz_morph.photoz.report.figures.pdfs import galaxies_with_pdf, pit_histogram
from photoz_morph.photoz.report.figures.point_estimates import z_phot_against_z_spec
from photoz_morph.photoz.report.tables.columns import COLUMNS
from photoz_morph.photoz.report.tables.comparison import comparison_markdown, verdicts
from photoz_morph.photoz.report.tables.scores import fold_rows, rail_markdown, scores_csv, scores_markdown
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.report.images import image_grid, rgb
from photoz_morph.report.style import save_figure
from photoz_morph.surveys import SDSS

GRID = RedshiftGrid()


def predictions(sigma=0.01, n=400, origin="simulated", seed=0):
    rng = np.random.default_rng(seed)
    z_spec = rng.uniform(0.05, 0.3, n)
    centre = z_spec + np.random.default_rng([seed, 1]).normal(0, sigma, n)
    pdf = np.exp(-0.5 * ((GRID.midpoints - centre[:, None]) / sigma) ** 2)
    columns = {"obj_id": np.arange(n), "ra": rng.uniform(0, 360, n), "dec": rng.uniform(-5, 60, n)}
    columns |= {"z_spec": z_spec, "fold": np.arange(n) % 5}
    return predictions_table(columns, pdf / pdf.sum(axis=1, keepdims=True), GRID, SDSS, origin, "toy")


def stamps(n=3):
    """A round source north-east of the centre, with the colours that `rgb` shows white."""
    y, x = np.mgrid[:64, :64]
    source = 5 * np.exp(-0.5 * ((x - 20) ** 2 + (y - 45) ** 2) / 4**2)
    return np.tile(source[None, :, :, None] / np.array([4, 2.5, 1.5, 1.0, 0.8]), (n, 1, 1, 1))


# Tables


def test_table_has_the_papers_rows_and_says_the_data():
    scores = evaluate(predictions(), GRID, n_bootstrap=20)
    lines = scores_markdown(scores).splitlines()
    assert "simulated galaxies" in lines[0] and "toy" in lines[0]
    assert lines[2].startswith("| fold | n | bias | sigma_MAD | eta [%] | CRPS")
    assert [line.split("|")[1].strip() for line in lines[4:11]] == [
        *"01234", "mean ± sd over folds", "all together"
    ]  # fmt: skip
    mean = scores["mean"]["sigma_mad"]
    assert f"{mean['value']:.5f} ± {mean['sd_over_folds']:.5f}" in lines[9]
    assert "real galaxies" in scores_markdown(evaluate(predictions(origin="stacked"), GRID, n_bootstrap=20))


def test_eta_is_printed_in_per_cent():
    scores = evaluate(predictions(), GRID, n_bootstrap=20)
    scores["folds"]["0"]["eta"] = {"value": 0.0031, "error": 0.0002}
    assert "| 0.31 ± 0.02 |" in scores_markdown(scores)


def test_csv_holds_the_numbers_to_the_last_digit():
    scores = evaluate(predictions(), GRID, n_bootstrap=20)
    rows = list(csv.DictReader(io.StringIO(scores_csv(scores))))
    assert [row["fold"] for row in rows] == [*"01234", "mean", "all"]
    assert {row["data"] for row in rows} == {"simulated"}
    assert float(rows[2]["crps"]) == scores["folds"]["2"]["crps"]["value"]
    assert float(rows[5]["eta_error"]) == scores["mean"]["eta"]["sd_over_folds"]
    assert float(rows[6]["pit_ad"]) == scores["all"]["pit_ad"]["value"]
    assert set(SCORES) <= set(rows[0])


def test_second_table_speaks_rail_and_says_what_differs():
    scores = evaluate(predictions(), GRID, n_bootstrap=20)
    scores["all"]["outlier_rate"] = {"value": 0.0123, "error": 0.0045}
    text = rail_markdown(scores)
    assert "| fold | n | median bias | sigma_IQR | outliers [%] |" in text and "| 1.23 ± 0.45 |" in text
    assert "| fold | n | CDE loss | PIT KS | PIT CvM | PIT AD | PIT outliers [%] | 90 % width |" in text
    assert text.count("simulated galaxies") == 2 and text.count("all together") == 2
    assert "median of the residuals, not their mean" in text and "max(0.06, 3 sigma_IQR), not 0.05" in text
    half = next(part for part in scores["coverage"] if part["level"] == 0.5)
    assert f"{100 * half['value']:.1f} ± {100 * half['error']:.1f} of 50" in text


def test_one_fold_has_one_row_and_no_scatter_of_folds():
    table = predictions()
    table.remove_column("fold")
    scores = evaluate(table, GRID, n_bootstrap=20)
    titles, rows = fold_rows(scores, COLUMNS)
    assert titles[:3] == ["fold", "n", "bias"] and [row[:2] for row in rows] == [["0", "400"]]
    _, mean, _ = csv.DictReader(io.StringIO(scores_csv(scores)))
    assert mean["eta_error"] == "" and float(mean["eta"]) == scores["mean"]["eta"]["value"]


def test_choice_of_galaxies_stands_in_every_title():
    choice = "depth deep, without stripes=38-39"
    scores = evaluate(predictions(), GRID, n_bootstrap=20, choice=choice)
    assert f"simulated galaxies: {choice}**" in scores_markdown(scores).splitlines()[0]
    assert rail_markdown(scores).count(choice) == 2
    assert {row["choice"] for row in csv.DictReader(io.StringIO(scores_csv(scores)))} == {choice}
    comparison = compare({"a": predictions(), "b": predictions(0.03)}, {"a": GRID, "b": GRID}, 20, choice=choice)
    assert f"on the same 400 simulated galaxies: {choice}**" in comparison_markdown(comparison)
    assert choice in verdicts(comparison)[0]


def test_note_says_what_was_resampled():
    table = predictions()
    assert "(20 resamples; for a rate" in scores_markdown(evaluate(table, GRID, n_bootstrap=20))
    table["group_id"] = np.arange(400) // 10
    words = "20 resamples of 40 parent galaxies"
    assert words in scores_markdown(evaluate(table, GRID, n_bootstrap=20))
    assert words in comparison_markdown(compare({"a": table, "b": predictions(0.03)}, {"a": GRID, "b": GRID}, 20))


def test_no_method_beats_another_for_certain_by_outliers_that_neither_has():
    comparison = compare({"a": predictions(), "b": predictions(0.002)}, {"a": GRID, "b": GRID}, n_bootstrap=20)
    assert comparison["methods"]["a"]["eta"]["value"] == comparison["methods"]["b"]["eta"]["value"] == 0
    (sentence,) = verdicts(comparison, "eta")
    assert "tie" in sentence and "0.0 standard errors" in sentence
    assert all("inf" not in line for line in comparison_markdown(comparison).splitlines())


def test_comparison_has_a_row_per_score_with_its_paired_interval():
    comparison = compare({"a": predictions(), "b": predictions(0.03)}, {"a": GRID, "b": GRID}, n_bootstrap=20)
    comparison["differences"]["b"]["eta"] = {"value": 0.01, "error": 0.002, "interval": [0.00608, 0.01392]}
    lines = comparison_markdown(comparison).splitlines()
    assert "| score | a | b | b - a | 95 % interval |" in lines
    (eta,) = [line for line in lines if line.startswith("| eta [%]")]
    assert eta.endswith("| 1.00 ± 0.20 | 0.61 to 1.39 |")
    assert [line for line in lines if line.startswith("| PIT KS")]


@pytest.mark.parametrize(
    "first, second, words",
    [
        # Same sign: the error of the difference is that of the distances from zero.
        (0.0010, 0.0004, "b beats a"),
        (-0.0004, -0.0010, "a beats b"),
        # Opposite signs: far apart, and both as far from zero.
        (0.0010, -0.0009, "b and a tie"),
    ],
)
def test_the_bias_nearer_to_zero_wins(first, second, words):
    comparison = compare({"a": predictions(), "b": predictions(0.03)}, {"a": GRID, "b": GRID}, n_bootstrap=20)
    for name, value in (("a", first), ("b", second)):
        comparison["methods"][name]["bias"] = {"value": value, "error": 0.0001}
    comparison["differences"]["b"]["bias"] = {"value": second - first, "error": 0.0001}
    (sentence,) = verdicts(comparison, "bias")
    assert sentence.startswith(words)


def test_verdict_names_the_winner_whichever_comes_first():
    sharp, blunt = predictions(0.01), predictions(0.03)
    for order in (("network", "k-NN"), ("k-NN", "network")):
        tables = {name: {"network": sharp, "k-NN": blunt}[name] for name in order}
        comparison = compare(tables, dict.fromkeys(order, GRID), n_bootstrap=50)
        (sentence,) = verdicts(comparison)
        assert sentence.startswith("network beats k-NN on 400 simulated galaxies: sigma_MAD 0.0")
        assert f"{order[1]} - {order[0]}" in comparison_markdown(comparison)


def test_verdict_counts_standard_errors_and_calls_a_tie():
    comparison = compare({"a": predictions(), "b": predictions()}, {"a": GRID, "b": GRID}, n_bootstrap=20)
    comparison["differences"]["b"]["sigma_mad"] = {"value": -0.0004, "error": 0.0001}
    assert "b beats a" in verdicts(comparison)[0] and "4.0 standard errors" in verdicts(comparison)[0]
    comparison["differences"]["b"]["sigma_mad"] = {"value": 0.00019, "error": 0.0001}
    assert "a and b tie" in verdicts(comparison)[0] and "1.9 standard errors" in verdicts(comparison)[0]


# Images


def test_colours_are_between_0_and_1_and_sky_is_black():
    image = rgb(stamps(1), SDSS)[0]
    assert image.min() >= 0 and image.max() <= 1
    assert image[:8, 56:].max() < 0.02


def test_galaxy_of_neutral_colour_is_grey_and_a_red_one_red():
    neutral = rgb(stamps(1), SDSS)[0, 45, 20]
    np.testing.assert_allclose(neutral, neutral[0], rtol=1e-5)
    red, green, blue = rgb(stamps(1) * np.array([1, 0.5, 1, 2, 1]), SDSS)[0, 45, 20]
    assert red > green > blue


def test_hue_survives_where_the_image_saturates():
    pixel = np.array([0.1, 1, 2, 4, 1])[None, None, None]
    faint, bright = (rgb(pixel * factor, SDSS)[0, 0, 0] ** 1.4 for factor in (1, 1e3))
    np.testing.assert_allclose(bright / bright.max(), faint / faint.max(), rtol=1e-4)
    assert bright.max() == pytest.approx(1)


def test_brighter_is_brighter_and_images_are_not_scaled_one_by_one():
    alone, together = rgb(stamps(1), SDSS), rgb(np.concatenate([stamps(1), 10 * stamps(1)]), SDSS)
    np.testing.assert_array_equal(alone[0], together[0])
    assert together[1].sum() > together[0].sum()


def test_missing_pixel_is_grey_and_missing_band_an_error():
    broken = stamps(1)
    broken[0, 0, 0, 2] = np.nan
    np.testing.assert_array_equal(rgb(broken, SDSS)[0, 0, 0], 0.5)
    with pytest.raises(ValueError, match="no colour for band y: sdss has u, g, r, i, z"):
        rgb(stamps(1), SDSS, bands=("y", "r", "g"))


def test_image_grid_shows_each_image_once_north_up():
    images = rgb(stamps(5), SDSS)
    figure = image_grid(images, list("abcde"), "simulated", n_columns=3)
    shown = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(shown) == 5 and all(image.origin == "lower" for image in shown)
    np.testing.assert_array_equal(shown[4].get_array(), images[4])


# Figures


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


def test_density_counts_every_galaxy_and_prints_the_scores():
    z_spec = np.array([0.05, 0.15, 0.15, 0.25, 0.3])
    z_phot = np.array([0.05, 0.15, 0.15, 0.35, 0.9])
    upper, lower = z_phot_against_z_spec(z_spec, z_phot, "toy, simulated").axes[:2]
    assert upper.collections[0].get_array().sum() == 4  # one lies beyond z_max
    text = " ".join(text.get_text() for text in upper.texts)
    assert "1 outside" in text and "n = 5" in text and r"$\eta$ = 40.00 %" in text
    assert lower.get_xlabel() and lower.get_ylabel() and upper.get_ylabel()


def test_density_cell_lies_where_the_galaxy_is():
    upper = z_phot_against_z_spec([0.1003], [0.3003], "toy").axes[0]
    mesh = upper.collections[0]
    row, column = np.argwhere(~np.ma.getmaskarray(mesh.get_array()))[0]
    assert (column, row) == (25, 75)  # cells of 0.004


def test_pit_histogram_is_a_density_with_the_band_of_a_flat_one():
    pit = np.random.default_rng(0).random(20_000)
    axes = pit_histogram(pit, "toy").axes[0]
    band, steps = axes.patches
    bars = steps.get_data().values
    assert bars.mean() == pytest.approx(1)
    low, high = band.get_y(), band.get_y() + band.get_height()
    assert np.mean((bars > low) & (bars < high)) >= 0.8  # 95 % of 20 bars expected


def test_figures_do_not_touch_pyplot(tmp_path):
    loaded = "matplotlib.pyplot" in sys.modules
    save_figure(pit_histogram([0.1, 0.5], "toy"), tmp_path / "pit.png")
    assert ("matplotlib.pyplot" in sys.modules) == loaded


def test_saved_figure_is_complete_and_leaves_no_temporary(tmp_path):
    save_figure(galaxies_with_pdf(stamps(1), predictions(n=1), GRID), tmp_path / "galaxies.png")
    assert imread(tmp_path / "galaxies.png").shape[1] == 780  # 5.2 inches at 150 dots
    save_figure(pit_histogram([0.1, 0.5], "toy"), tmp_path / "pit.pdf")
    assert (tmp_path / "pit.pdf").read_bytes().startswith(b"%PDF")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["galaxies.png", "pit.pdf"]
