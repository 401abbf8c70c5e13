import numpy as np
import pytest

from photoz_morph.metrics.few_labels import label_curve

MEAN = {"mean": ("value", np.mean)}


def curve(shift=0.5, n=400, repeats=3, of_repeat=0.0, seed=1):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n)  # what a galaxy gives to all methods
    found = {}
    for method, offset in (("all", shift), ("scratch", 0.0)):
        own = offset + common + of_repeat * rng.normal(size=(repeats, 1)) + 0.05 * rng.normal(size=(repeats, n))
        found[method, 100] = {"value": own}
    return label_curve(found, MEAN, np.arange(n) // 2, "scratch")


def width(part):
    return part["interval"][1] - part["interval"][0]


def test_differences_are_paired_on_galaxies():
    transfer, scratch = curve()
    assert transfer["differences"]["mean"]["value"] == pytest.approx(0.5, abs=0.02)
    assert width(transfer["differences"]["mean"]) < 0.2 * width(transfer["scores"]["mean"])
    assert "differences" not in scratch and len(scratch["scores"]["mean"]["repeats"]) == 3


def test_the_scatter_of_repeats_is_in_the_intervals():
    quiet, loud = (curve(of_repeat=value)[0]["differences"]["mean"] for value in (0.0, 0.5))
    assert width(loud) > 5 * width(quiet)


def test_the_interval_of_one_repeat_is_that_of_the_bootstrap_over_parents():
    values = np.random.default_rng(3).normal(size=(1, 400))
    (entry,) = label_curve({("scratch", 10): {"value": values}}, MEAN, np.arange(400) // 2, "scratch")
    of_parents = values.reshape(200, 2).mean(axis=1).std() / np.sqrt(200)
    # 500 resamples know a quantile to a few per cent
    assert width(entry["scores"]["mean"]) == pytest.approx(2 * 1.96 * of_parents, rel=0.12)


def test_one_parent_has_no_interval():
    with pytest.raises(ValueError, match="of one parent; intervals need two or more"):
        label_curve({("scratch", 10): {"value": np.ones((1, 4))}}, MEAN, np.ones(4, int), "scratch")
