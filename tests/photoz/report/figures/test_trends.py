from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.metrics.redshifts.trend_lines import FLAT, HINT, NOT_FLAT, SLOPE
from photoz_morph.metrics.redshifts.trends import trend
from photoz_morph.photoz.report.figures.trends import trend_figure, trend_grid
from photoz_morph.photoz.report.tables.trends import catalogue_trends
from photoz_morph.report.style import BLUE, ORANGE
from tests.support.redshifts import BANDS, photometry


def test_trend_figure_shows_bins_errors_and_verdicts_of_each_run():
    columns, residual = photometry(2000)
    runs = {
        "with E(B-V)": trend(columns["ebv"], residual, "E(B-V)", "mag"),
        "without E(B-V)": trend(columns["ebv"], residual + 0.2 * columns["ebv"], "E(B-V)", "mag"),
    }
    (axes,) = trend_figure(runs, "toy").axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert len(labels) == 2 and "consistent with flat" in labels[0] and "\nslope +0.19" in labels[1]
    for container, found in zip(axes.containers, runs.values()):
        assert np.allclose(container[0].get_ydata(), found.bias.values)
        (bars,) = container[2]
        heights = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
        assert np.allclose(heights, 2 * found.bias.errors)
    low, high = axes.get_ylim()
    assert all(low < value < high for found in runs.values() for value in found.bias.values)


def test_trend_grid_has_a_panel_with_a_verdict_for_each_band_and_pair():
    columns, residual = photometry(1000)
    figure = trend_grid(catalogue_trends(columns, residual, BANDS), BANDS, "toy")
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(drawn) == 5 + 5 + 4 and all(axes.get_title() for axes in drawn)
    assert [axes.get_xscale() for axes in drawn] == ["log"] * 5 + ["linear"] * 9
    del columns["snr"]
    figure = trend_grid(catalogue_trends(columns, residual, BANDS), BANDS, "toy", "sigma_mad")
    assert len([axes for axes in figure.axes if axes.axison]) == 9
    with pytest.raises(ValueError, match="lack the columns"):
        trend_grid({}, BANDS, "toy")


def test_only_real_trends_are_orange():
    columns, residual = photometry(1000)
    found = catalogue_trends({"snr": columns["snr"]}, residual, BANDS)
    findings = (SLOPE, NOT_FLAT, HINT, FLAT)
    keys = [f"snr_{band}" for band in "ugri"]
    lines = {key: replace(found[key].bias, finding=name) for key, name in zip(keys, findings)}
    given = {key: replace(found[key], bias=line) for key, line in lines.items()}
    given["snr_z"] = trend(columns["snr"][:20, 4], residual[:20], is_log=True)
    colours = [axes.lines[0].get_color() for axes in trend_grid(given, BANDS, "toy").axes]
    assert colours == [ORANGE, ORANGE, BLUE, BLUE, BLUE]


def test_trend_figure_of_too_few_galaxies_says_so():
    found = trend(np.arange(20.0), np.zeros(20), "E(B-V)", "mag")
    (axes,) = trend_figure({"": found}, "toy").axes
    assert "too few galaxies" in axes.get_legend().get_texts()[0].get_text()
