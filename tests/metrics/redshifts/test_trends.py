from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from photoz_morph.metrics.bootstrap import bootstrap
from photoz_morph.metrics.group_sums import fraction_design_effect, mad_error, number_groups, pair_covariance
from photoz_morph.metrics.redshifts.point_scores import sigma_mad
from photoz_morph.metrics.redshifts.trend_lines import FLAT, HINT, NOT_FLAT, SLOPE
from photoz_morph.metrics.redshifts.trends import holm_verdicts, trend
from photoz_morph.photoz.report.figures.trends import trend_figure, trend_grid
from photoz_morph.photoz.report.tables.trends import catalogue_trends, slope_text, trend_rows, trends_csv, verdict
from photoz_morph.report.style import BLUE, ORANGE

BANDS = "ugriz"


def dust(n, rng):
    """E(B-V) as at high latitude: a long tail."""
    return 0.03 * np.exp(0.7 * rng.normal(size=n))


def residuals(n, rng, scatter=0.012):
    """Heavy-tailed, with one catastrophic outlier in 300."""
    return scatter * rng.standard_t(4, n) + 0.2 * (rng.random(n) < 1 / 300)


def photometry(n, seed=0, psf_slope=0.0):
    """Columns of a predictions table, and residuals that follow the seeing in g alone."""
    rng = np.random.default_rng(seed)
    columns = {
        "z_phot": rng.uniform(0.02, 0.3, n),
        "ebv": dust(n, rng),
        "axis_ratio": rng.uniform(0.2, 1, n),
        "is_early": rng.random(n) < 0.5,
        "n_neighbours": rng.poisson(1.9, n),
        "snr": 10 ** rng.normal(2, 0.4, (n, 5)),
        "psf_fwhm": rng.normal([1.5, 1.4, 1.3, 1.3, 1.3], 0.15, (n, 5)),
    }
    return columns, 0.012 * rng.normal(size=n) + psf_slope * (columns["psf_fwhm"][:, 1] - 1.4)


# One trend


def test_bins_hold_equal_numbers_their_mean_its_standard_error_and_sigma_mad():
    rng = np.random.default_rng(0)
    x, residual = rng.permutation(np.arange(400.0)), rng.normal(0.001, 0.01, 400)
    found = trend(x, residual, n_bins=4)
    for index in range(4):
        inside = (x >= 100 * index) & (x < 100 * (index + 1))
        assert found.x[index] == 100 * index + 49.5
        assert (found.low[index], found.high[index], found.count[index]) == (100 * index, 100 * index + 99, 100)
        assert found.bias.values[index] == pytest.approx(residual[inside].mean())
        assert found.bias.errors[index] == pytest.approx(residual[inside].std(ddof=1) / 10)
        assert found.sigma_mad.values[index] == pytest.approx(sigma_mad(residual[inside]))


def test_planted_slope_is_recovered_within_its_error():
    pulls = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        x = dust(1500, rng)
        # Scatter that grows with x: the error of ordinary least squares would be too small here.
        line = trend(x, 0.05 * x + residuals(1500, rng) * (1 + 5 * x), unit="mag").bias
        pulls.append((line.slope - 0.05) / line.slope_error)
    assert abs(np.mean(pulls)) < 3 / np.sqrt(150)
    assert 0.85 < np.std(pulls) < 1.15  # 0.058 is the error of a standard deviation of 150


def test_planted_slope_of_the_scatter_is_recovered_within_its_error():
    pulls = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        x = rng.uniform(0, 1, 2000)
        line = trend(x, (0.012 + 0.004 * x) * rng.normal(size=2000)).sigma_mad
        pulls.append((line.slope - 0.004) / line.slope_error)
    assert abs(np.mean(pulls)) < 0.4 and 0.75 < np.std(pulls) < 1.25  # 3 errors


def test_flat_data_are_called_a_trend_in_the_nominal_share_of_cases():
    rng = np.random.default_rng(1)
    found = [trend(dust(2000, rng), residuals(2000, rng)) for _ in range(300)]
    for lines in ([t.bias for t in found], [t.sigma_mad for t in found]):
        for p_value in ("p_slope", "p_flat", "p_value"):
            share = np.mean([getattr(line, p_value) < 0.05 for line in lines])
            assert 0.01 < share < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 300)


def test_verdict_of_flat_data_and_of_a_slope_names_the_numbers():
    rng = np.random.default_rng(2)
    x, noise = rng.uniform(0, 0.5, 20_000), rng.normal(0, 0.012, 20_000)
    flat, steep = trend(x, noise, unit="mag").bias, trend(x, noise + 0.012 * x, unit="mag").bias
    assert verdict(flat).startswith("consistent with flat (slope ") and "per mag" in verdict(flat)
    assert flat.finding == FLAT and steep.finding == SLOPE
    error = f"{steep.slope_error:.5f}"
    assert verdict(steep) == f"slope +{steep.slope:.5f} ± {error} per mag ({steep.slope / steep.slope_error:.1f} sigma)"


def test_a_bend_without_slope_is_not_flat():
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, 20_000)
    line = trend(x, 0.004 * x**2 + rng.normal(0, 0.012, 20_000)).bias
    assert line.finding == NOT_FLAT and verdict(line).startswith("not flat (chi-square ")
    assert "p < 0.0001" in verdict(replace(line, p_flat=0.0))


def test_slope_of_a_logarithmic_trend_is_per_dex_and_leaves_out_what_has_no_logarithm():
    rng = np.random.default_rng(4)
    snr = 10 ** rng.uniform(1, 3, 5000)
    residual = 0.01 * np.log10(snr) + rng.normal(0, 0.001, 5000)
    found = trend(np.concatenate([snr, [0, -1, np.nan]]), np.concatenate([residual, [9.0, 9.0, 9.0]]), is_log=True)
    assert found.bias.slope == pytest.approx(0.01, rel=0.02) and "per dex" in slope_text(found.bias)
    assert (found.n, found.n_left_out) == (5000, 3)


def test_galaxies_of_one_value_stay_in_one_bin():
    n_neighbours = np.repeat([0, 1, 2, 3, 4], [300, 500, 200, 40, 10])
    found = trend(n_neighbours, np.random.default_rng(5).normal(0, 0.01, 1050))
    assert list(found.low) == [0, 1, 2] and list(found.high) == [0, 1, 4]  # 3 and 4 are too few for a bin of a tenth
    assert list(found.count) == [300, 500, 250]


def test_too_few_galaxies_give_no_verdict():
    x, residual = np.arange(59.0), np.random.default_rng(7).normal(0, 0.01, 59)
    found = trend(x, residual)
    assert verdict(found.bias) == verdict(found.sigma_mad) == "too few galaxies (n = 59, 60 needed)"
    assert len(found.x) == 0 and np.isnan(found.bias.p_value)
    assert "in fewer than two bins" in verdict(trend(np.zeros(100), np.arange(100.0)).bias)
    assert verdict(holm_verdicts([found])[0].bias) == verdict(found.bias)


def test_residuals_without_scatter_are_not_tested():
    assert trend(np.arange(100.0), np.zeros(100)).bias.finding == "no scatter to compare with"


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        trend(np.arange(3.0), [0.1, np.nan, 0.2])
    with pytest.raises(ValueError, match=r"E\(B-V\) has shape \(2,\)"):
        trend(np.arange(2.0), np.zeros(3), "E(B-V)")


# Error of sigma_MAD


@pytest.mark.parametrize("name", ["norm", "t", "gamma"])
def test_mad_error_is_the_scatter_of_sigma_mad(name):
    shape = {"norm": (), "t": (3,), "gamma": (2,)}[name]
    draws = getattr(stats, name).rvs(*shape, size=(1000, 1000), random_state=8)
    errors = [mad_error(sample) for sample in draws[:50]]
    assert np.mean(errors) == pytest.approx(np.std(sigma_mad(draws)), rel=0.08)  # 2 % from 1,000 draws, 1 % from errors


def test_mad_error_agrees_with_the_bootstrap():
    values = residuals(20_000, np.random.default_rng(9))
    assert mad_error(values) == pytest.approx(np.std(bootstrap(sigma_mad, values, 200)), rel=0.3)  # noise 10 %


# Groups


def copies(n_groups, rng):
    """Group of each galaxy, 1 to 6 copies of one, and values that correlate by 1/2 within groups."""
    group = np.repeat(np.arange(n_groups), rng.integers(1, 7, n_groups))
    shared, own = rng.standard_t(4, n_groups), rng.standard_t(4, len(group))
    return group, (shared[group] + own) / np.sqrt(2)


@pytest.mark.parametrize("own", [0, 1])
def test_copies_of_one_galaxy_make_no_trend(own):
    # x is the same for all copies, as E(B-V), or differs, as the PSF.
    rng, found, naive = np.random.default_rng(20 + own), [], []
    for _ in range(250):
        group, values = copies(600, rng)
        x = dust(600, rng)[group] + own * rng.normal(0, 0.02, len(group))
        found.append(trend(x, 0.012 * values, group_id=group))
        if own == 0:
            naive.append(trend(x, 0.012 * values))
    for lines in ([t.bias for t in found], [t.sigma_mad for t in found]):
        for p_value in ("p_slope", "p_flat", "p_value"):
            share = np.mean([getattr(line, p_value) < 0.05 for line in lines])
            assert 0.01 < share < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 250)
    assert own or np.mean([t.bias.p_value < 0.05 for t in naive]) > 0.2


def test_errors_of_copies_that_are_all_alike_are_those_of_one_of_each():
    rng = np.random.default_rng(22)
    x, residual = rng.uniform(0, 1, 1000), residuals(1000, rng)
    alone, copied = trend(x, residual), trend(*np.repeat([x, residual], 3, axis=1), group_id=np.repeat(range(1000), 3))
    assert (copied.n, copied.n_groups, alone.n_groups) == (3000, 1000, 1000)
    for field in ("slope", "slope_error", "chi_square", "p_slope", "p_flat"):
        assert getattr(copied.bias, field) == pytest.approx(getattr(alone.bias, field))
    assert copied.bias.at_pivot_error == pytest.approx(alone.bias.at_pivot_error, rel=3e-3)  # leverage of one of three
    assert copied.bias.errors == pytest.approx(alone.bias.errors)
    # The density at the median, for sigma_MAD, is counted within a distance that shrinks with n.
    assert copied.sigma_mad.errors == pytest.approx(alone.sigma_mad.errors, rel=0.15)
    assert copied.sigma_mad.slope_error == pytest.approx(alone.sigma_mad.slope_error, rel=0.15)


def test_slope_error_of_groups_is_the_jackknife():
    rng = np.random.default_rng(23)
    group, values = copies(60, rng)
    x = rng.normal(size=len(group))
    slope = np.polyfit(x, values, 1)[0]
    without = [np.polyfit(x[group != g], values[group != g], 1)[0] for g in range(60)]
    assert trend(x, values, group_id=group).bias.slope_error == pytest.approx(np.sqrt(np.sum((without - slope) ** 2)))


def test_groups_of_one_change_nothing():
    rng = np.random.default_rng(24)
    x, residual = dust(900, rng), residuals(900, rng)
    alone, grouped = trend(x, residual), trend(x, residual, group_id=rng.permutation(900))
    for one, other in ((alone.bias, grouped.bias), (alone.sigma_mad, grouped.sigma_mad)):
        assert one.slope_error == pytest.approx(other.slope_error, rel=1e-12)
        assert one.p_flat == pytest.approx(other.p_flat, rel=1e-10)
    slope, _ = np.polyfit(x, residual, 1)
    leverage = 1 / 900 + (x - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2)
    rest = (residual - np.polyval(np.polyfit(x, residual, 1), x)) / (1 - leverage)  # HC3
    assert alone.bias.slope_error == pytest.approx(
        np.sqrt(np.sum(((x - x.mean()) * rest) ** 2)) / np.sum((x - x.mean()) ** 2)
    )


def test_bins_hold_thirty_groups_or_there_is_no_verdict():
    group, values = copies(59, np.random.default_rng(25))
    found = trend(group, values, group_id=group)
    assert verdict(found.bias) == f"too few galaxies (n = {len(group)} in 59 groups, 60 needed)"
    with pytest.raises(ValueError, match=r"group_id has shape \(2,\)"):
        trend(group, values, group_id=group[:2])


def test_groups_are_numbered_as_they_appear_and_pairs_counted_by_hand():
    group, n_groups = number_groups(np.array(["b", "a", "b", "c"]), 4)
    assert list(group) == [0, 1, 0, 2] and n_groups == 3
    assert pair_covariance(np.array([2.0, 1, 3, 1]), group) == 6  # the one pair, 2 * 3
    assert pair_covariance(np.array([2.0, 1, -3, 1]), group) == 0
    # All copies the same: 12 galaxies in groups of three are worth four.
    assert fraction_design_effect(np.repeat([True, False, False, False], 3), np.repeat(range(4), 3)) == pytest.approx(3)
    assert fraction_design_effect(np.zeros(12, bool), np.repeat(range(4), 3)) == 3


# Many trends


def test_holm_verdicts_keeps_the_chance_of_any_false_trend_at_its_level():
    rng, alone, together = np.random.default_rng(10), 0, 0
    for _ in range(60):
        residual = residuals(600, rng)
        family = [trend(rng.normal(size=600), residual) for _ in range(12)]
        alone += any(t.bias.p_value < 0.1 for t in family)
        together += any(t.bias.finding in (SLOPE, NOT_FLAT) for t in holm_verdicts(family, 0.1))
    assert together <= 15  # 3 errors above 10 % of 60, for p-values of a little too many sigma_MAD
    assert alone > 30  # 12 looks at 10 % each


def test_holm_verdicts_is_holms_procedure():
    # Of four p-values the smallest must not exceed 0.01 / 4, the next 0.01 / 3, 0.01 / 2 and 0.01.
    found = trend(np.arange(100.0), np.random.default_rng(11).normal(size=100))

    def with_p(p_slope, p_flat):
        return replace(found.bias, p_slope=p_slope, p_flat=p_flat)

    family = [
        replace(found, bias=with_p(0.0015, 0.5), sigma_mad=with_p(0.9, 0.3)),  # p = 0.003 <= 0.01 / 3
        replace(found, bias=with_p(0.0045, 0.5), sigma_mad=with_p(0.4, 0.0002)),  # 0.009 > 0.01 / 2; 0.0004 <= 0.01 / 4
    ]
    for trends in (family, holm_verdicts(family)):  # earlier findings have no effect
        found = [(t.bias.finding, t.sigma_mad.finding) for t in holm_verdicts(trends)]
        assert found == [(SLOPE, FLAT), (HINT, NOT_FLAT)]
    assert "within chance for so many trends" in verdict(holm_verdicts(family)[1].bias)


# A catalogue


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


# Figures


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
