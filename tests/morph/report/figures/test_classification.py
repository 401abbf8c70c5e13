import numpy as np
import pytest

from photoz_morph.morph.report.figures import classification
from tests.support.morph import CLASSES, toy_history
from tests.support.reports import toy_baselines, two_arms


@pytest.fixture(scope="module")
def results():
    return two_arms()


def test_contours_hold_half_and_nine_tenths(results):
    rng = np.random.default_rng(0)
    gini, m20 = 0.5 + 0.03 * rng.normal(size=50_000), -1.7 + 0.2 * rng.normal(size=50_000)
    sample = results.sample
    columns = [np.asarray(sample[name]) for name in ("gini", "m20", "label")]
    (axes,) = classification.gini_m20_plane(*columns, CLASSES, "toy", (gini, m20)).axes
    (contours,) = [part for part in axes.collections if hasattr(part, "levels")]
    inside = [path.contains_points(np.stack([m20, gini], axis=1)).mean() for path in contours.get_paths()]
    assert inside == pytest.approx([0.9, 0.5], abs=0.05)  # the smoothing widens them a little


def test_confusion_matrices_show_fractions_of_the_true_class(results):
    figure = classification.confusion_matrices(results.scores, "toy")
    assert len(figure.axes) == 4
    counts = np.array(results.runs[1]["scores"]["domains"]["Y1"]["confusion"])
    np.testing.assert_allclose(figure.axes[3].images[0].get_array(), counts / counts.sum(axis=1, keepdims=True))
    assert [label.get_text() for label in figure.axes[3].get_xticklabels()] == list(CLASSES)


def test_baselines_have_grey_bars_and_runs_keep_their_colours(results):
    scores = results.scores | {name: part["scores"] for name, part in toy_baselines(results.runs).items()}
    colours = {}
    for given in (results.scores, scores):
        (axes,) = classification.accuracy_bars(given, "Simulated").axes
        bars = [container.patches[0] for container in axes.containers]
        assert len(bars) == 2 * len(given)
        colours[len(given)] = [bar.get_facecolor()[:3] for bar in bars]
        heights = [part["mean"]["accuracy"]["value"] for run in given.values() for part in run["domains"].values()]
        assert np.allclose([bar.get_height() for bar in bars], heights)
    assert colours[3][:4] == colours[2]
    assert len(set(colours[3][4:])) == 1 and len(set(colours[3][4])) == 1  # grey: the same in red, green and blue


@pytest.mark.parametrize("unused", [np.nan, 0.0])
def test_training_without_mmd_says_so(unused):
    histories = {
        name: [{key: np.array([row[key] for row in toy_history(mmd=mmd)]) for key in toy_history()[0]}]
        for name, mmd in (("regular", None), ("MMD", 0.5))
    }
    histories["regular"][0]["mmd"][:] = unused
    figure = classification.morph_training_curves(histories, "toy")
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert texts[4] == ["not in this training"] and texts[5] == []  # the third of four rows


@pytest.mark.parametrize(("name", "legend"), [("mmd", "MMD$^2$ of the latents"), ("consistency", "consistency")])
def test_every_adaptation_loss_has_a_curve(name, legend):
    rows = [row | {name: 0.1} for row in toy_history()]
    history = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    axes = classification.morph_training_curves({"toy": [history]}, "toy").axes[2]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [legend]
