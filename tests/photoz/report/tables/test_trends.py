import numpy as np
import pytest

from photoz_morph.metrics.redshifts.trend_lines import FLAT, SLOPE
from photoz_morph.metrics.redshifts.trends import trend
from photoz_morph.photoz.report.tables.trends import (
    catalogue_trends,
    trend_numbers,
    trend_rows,
    trends_csv,
    trends_markdown,
    verdict,
)
from tests.support.redshifts import BANDS, photometry


def test_verdict_of_flat_data_and_of_a_slope_names_the_numbers():
    rng = np.random.default_rng(2)
    x, noise = rng.uniform(0, 0.5, 20_000), rng.normal(0, 0.012, 20_000)
    flat, steep = trend(x, noise, unit="mag").bias, trend(x, noise + 0.012 * x, unit="mag").bias
    assert verdict(flat).startswith("consistent with flat (slope ") and "per mag" in verdict(flat)
    assert flat.finding == FLAT and steep.finding == SLOPE
    error = f"{steep.slope_error:.5f}"
    assert verdict(steep) == f"slope +{steep.slope:.5f} ± {error} per mag ({steep.slope / steep.slope_error:.1f} sigma)"


def test_catalogue_trends_find_the_band_whose_seeing_matters():
    columns, residual = photometry(6000, psf_slope=0.01)
    found = catalogue_trends(columns, residual, BANDS)
    assert {"ebv", "axis_ratio_disks", "snr_z", "psf_fwhm_i-z"} <= set(found) and "petro_r" not in found
    slopes = {name for name, t in found.items() if t.bias.finding == SLOPE}
    assert slopes == {"psf_fwhm_g", "psf_fwhm_u-g", "psf_fwhm_g-r"}
    # Var(g) / Var(u - g) = 1/2 of the slope in g, with the other sign.
    assert found["psf_fwhm_u-g"].bias.slope == pytest.approx(-0.005, abs=4 * found["psf_fwhm_u-g"].bias.slope_error)
    assert found["axis_ratio_disks"].n == np.sum(~columns["is_early"])


def test_columns_without_a_known_value_are_skipped_and_groups_are_used():
    columns, residual = photometry(1000)
    columns["petro_r"], columns["axis_ratio"] = np.full((2, 1000), np.nan)
    columns["snr"][:, 0] = np.nan
    columns["group_id"] = np.arange(1000) // 2
    found = catalogue_trends(columns, residual, BANDS)
    assert not {"petro_r", "axis_ratio", "axis_ratio_disks", "snr_u"} & set(found) and "snr_g" in found
    assert {t.n_groups for t in found.values()} == {500}


def test_every_trend_has_a_row_with_its_verdict():
    columns, residual = photometry(1000)
    columns["petro_r"] = np.where(np.arange(1000) < 7, 17.0, np.nan)
    found = catalogue_trends(columns, residual, BANDS)
    header, rows = trend_rows(found, "sigma_mad")
    assert len(rows) == len(found) and {len(row) for row in rows} == {len(header)}
    assert all(row[-1] for row in rows)
    (unknown,) = [row for row in rows if row[0] == "dereddened r"]
    assert unknown[1:3] == ["7", "-"] and "too few" in unknown[-1]
    lines = trends_csv(found, "simulated").splitlines()
    assert lines[0].startswith("data,trend,") and lines[1].startswith("simulated,z_phot,bias,1000,1000,0,")
    assert len(lines) == 1 + 2 * len(found) and {line.count(",") for line in lines[:3]} == {lines[0].count(",")}


def test_a_magnitude_of_another_band_stands_in_where_there_is_no_petro_r():
    columns, residual = photometry(1000)
    magnitudes = np.random.default_rng(5).uniform(18, 22, 1000)
    found = catalogue_trends(columns, residual, BANDS, (magnitudes, "V"))
    assert found["mag_V"].n == 1000 and found["mag_V"].name == "dereddened V"
    columns["petro_r"] = magnitudes
    assert not [key for key in catalogue_trends(columns, residual, BANDS, (magnitudes, "V")) if key.startswith("mag_")]
    unknown = np.full(1000, np.nan)
    assert "mag_V" not in catalogue_trends(photometry(1000)[0], residual, BANDS, (unknown, "V"))


def test_markdown_and_numbers_are_those_of_the_lines():
    columns, residual = photometry(3000, psf_slope=0.01)
    found = catalogue_trends({"ebv": columns["ebv"], "psf_fwhm": columns["psf_fwhm"]}, residual, BANDS)
    numbers = trend_numbers(found)
    assert set(numbers) == set(found) and numbers["psf_fwhm_g"]["n"] == 3000
    line = found["psf_fwhm_g"].bias
    assert numbers["psf_fwhm_g"]["bias"]["slope"] == line.slope and numbers["psf_fwhm_g"]["bias"]["finding"] == SLOPE
    text = trends_markdown(found)
    assert "**Trends of the mean residual**" in text and "| PSF FWHM in g | 3,000 | " in text
    assert f"{2 * len(found)} tests" in text and trends_markdown({}) == ""
    few = catalogue_trends({"ebv": columns["ebv"][:20]}, residual[:20], BANDS)
    assert trend_numbers(few)["ebv"]["bias"]["slope"] is None
