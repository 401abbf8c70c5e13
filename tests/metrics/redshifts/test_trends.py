from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.metrics.redshifts.point_scores import sigma_mad
from photoz_morph.metrics.redshifts.trend_lines import FLAT, HINT, NOT_FLAT, SLOPE
from photoz_morph.metrics.redshifts.trends import holm_verdicts, trend
from photoz_morph.photoz.report.tables.trends import slope_text, verdict
from tests.support.redshifts import copies, dust, residuals


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


def test_flat_data_are_called_a_trend_in_the_nominal_fraction_of_cases():
    rng = np.random.default_rng(1)
    found = [trend(dust(2000, rng), residuals(2000, rng)) for _ in range(300)]
    for lines in ([t.bias for t in found], [t.sigma_mad for t in found]):
        for p_value in ("p_slope", "p_flat", "p_value"):
            fraction = np.mean([getattr(line, p_value) < 0.05 for line in lines])
            assert 0.01 < fraction < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 300)


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


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        trend(np.arange(3.0), [0.1, np.nan, 0.2])
    with pytest.raises(ValueError, match=r"E\(B-V\) has shape \(2,\)"):
        trend(np.arange(2.0), np.zeros(3), "E(B-V)")


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
            fraction = np.mean([getattr(line, p_value) < 0.05 for line in lines])
            assert 0.01 < fraction < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 250)
    assert own or np.mean([t.bias.p_value < 0.05 for t in naive]) > 0.2


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
