import numpy as np

from photoz_morph.morph.report.figures.depth import accuracy_against_depth
from tests.morph.evaluation.test_depth import toy_depth


def test_lines_are_the_accuracies_and_bars_their_intervals():
    runs = {"regular": toy_depth({"0.5": 0.5, "1": 0.6, "10": 0.8}), "MMD": toy_depth({"1": 0.7, "10": 0.8}, seed=1)}
    axes = accuracy_against_depth(runs, "simulated").axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    for run, result in runs.items():
        np.testing.assert_allclose(lines[run].get_ydata(), [p["accuracy"]["value"] for p in result["years"].values()])
    bars = [segment[:, 1] for segment in axes.collections[0].get_segments()]
    np.testing.assert_allclose(bars, [p["accuracy"]["interval"] for p in runs["regular"]["years"].values()])
    np.testing.assert_allclose(lines["MMD"].get_xdata(), [1, 10], rtol=0.05)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.5", "1", "10"]


def test_six_runs_have_six_colours():
    runs = {f"run_{number}": toy_depth({"1": 0.6, "10": 0.8}) for number in range(6)}
    axes = accuracy_against_depth(runs, "simulated").axes[0]
    assert len({line.get_color() for line in axes.lines if line.get_label() in runs}) == 6
