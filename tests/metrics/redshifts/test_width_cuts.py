import numpy as np
import pytest

from photoz_morph.metrics.bootstrap import bootstrap
from photoz_morph.metrics.redshifts.point_scores import eta, sigma_mad
from photoz_morph.metrics.redshifts.width_cuts import MIN_GALAXIES, width_cuts
from photoz_morph.photoz.report.figures.widths import width_cut_figure
from tests.support.redshifts import widths_and_residuals


def test_the_widest_are_removed_and_the_rest_scored():
    width, residual = widths_and_residuals(1000)
    crps = np.abs(residual)
    cuts = width_cuts(width, residual, crps, fractions=(0, 0.1, 0.2))
    assert list(cuts["n"]) == [1000, 900, 800]
    kept = width <= np.sort(width)[799]
    assert cuts["widest"][2] == width[kept].max()
    assert cuts["sigma_mad"][2] == pytest.approx(sigma_mad(residual[kept]))
    assert cuts["eta"][2] == pytest.approx(eta(residual[kept]))
    assert cuts["bias"][2] == pytest.approx(residual[kept].mean())
    assert cuts["crps"][2] == pytest.approx(crps[kept].mean())


def test_errors_agree_with_the_bootstrap():
    width, residual = widths_and_residuals(8000)
    cuts = width_cuts(width, residual, fractions=(0, 0.2))
    kept = np.sort(np.argsort(width)[:6400])
    for index, part in enumerate((residual, residual[kept])):
        drawn = np.array([bootstrap(f, part, 200) for f in (lambda v: v.mean(axis=-1), sigma_mad, eta)])
        errors = [cuts[f"{name}_error"][index] for name in ("bias", "sigma_mad", "eta")]
        assert errors == pytest.approx(drawn.std(axis=1), rel=0.35)  # noise 11 %


def test_eta_without_outliers_has_an_error():
    cuts = width_cuts(np.arange(100.0), np.linspace(-0.01, 0.01, 100), fractions=(0,))
    assert cuts["eta"][0] == 0 and 0 < cuts["eta_error"][0] < 0.02


def test_cuts_refuse_what_they_cannot_score():
    with pytest.raises(ValueError, match="20 of 40 galaxies would be left"):
        width_cuts(np.ones(40), np.ones(40), fractions=(0.5,))
    with pytest.raises(ValueError, match="crps has shape"):
        width_cuts(np.ones(40), np.ones(40), np.ones(39))


def test_fractions_that_leave_too_few_are_dropped():
    width, residual = widths_and_residuals(50)
    cuts = width_cuts(width, residual)
    assert cuts["n"].min() == 30 and cuts["removed"].max() == pytest.approx(0.4)
    for n in (MIN_GALAXIES, 34):
        axes = width_cut_figure(width[:n], residual[:n], "toy").axes[0]
        marked = [line for line in axes.lines if line.get_marker() == "o"]
        assert len(marked) == (1 if n == MIN_GALAXIES else 2)  # 0 %, and 10 % of 34
    with pytest.raises(ValueError, match="29 of 29"):
        width_cut_figure(width[:29], residual[:29], "toy")


def test_errors_of_copies_that_are_all_alike_are_those_of_one_of_each():
    width, residual = widths_and_residuals(2000)
    residual *= 3
    alone = width_cuts(width, residual, np.abs(residual), (0, 0.2))
    copied = (np.repeat(array, 4) for array in (width, residual, np.abs(residual)))
    grouped = width_cuts(*copied, (0, 0.2), np.repeat(np.arange(2000), 4))
    for name, rel in (("bias", 1e-9), ("crps", 1e-9), ("eta", 0.02), ("sigma_mad", 0.15)):
        assert grouped[name] == pytest.approx(alone[name])
        assert grouped[f"{name}_error"] == pytest.approx(alone[f"{name}_error"], rel=rel)
