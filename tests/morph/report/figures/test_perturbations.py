import numpy as np
import pytest

from photoz_morph.morph.report.figures.perturbations import accuracy_against_severity, perturbation_sheet
from photoz_morph.report.style import save_figure
from photoz_morph.robustness.perturbations.registry import PERTURBATIONS, ObservingContext, perturbation_examples
from photoz_morph.surveys import LSST


def score(value):
    return {"value": value, "error": 0.02, "interval": [value - 0.04, value + 0.04]}


def result(clean, names, falls):
    """Accuracies that fall by so much from one severity to the next."""
    kinds = {}
    for name in names:
        kind = PERTURBATIONS[name]
        rows = [
            {"severity": severity, "accuracy": score(clean - falls * (1 + i))}
            for i, severity in enumerate(kind.severities)
        ]
        kinds[name] = {"title": kind.title, "unit": kind.unit, "none": kind.none, "severities": rows}
    return {"clean": {"accuracy": score(clean)}, "galaxies": {"label": [0, 0, 0, 1, 2]}, "kinds": kinds}


def shown(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def test_lines_begin_with_the_clean_accuracy_and_end_with_the_worst():
    results = {"regular": result(0.9, ("exposure", "jpeg"), 0.1), "MMD": result(0.8, ("exposure", "jpeg"), 0.02)}
    figure = accuracy_against_severity(results, "simulated")
    panels = shown(figure)
    assert [axes.get_title() for axes in panels] == ["shorter exposure", "JPEG"]
    lines = {line.get_label(): line.get_ydata() for line in panels[0].lines}
    np.testing.assert_allclose(lines["regular"], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    np.testing.assert_allclose(lines["MMD"], [0.8, 0.78, 0.76, 0.74, 0.72, 0.7])
    assert [tick.get_text() for tick in panels[0].get_xticklabels()] == ["none", "8", "5", "3", "2", "1"]
    assert panels[0].lines[-1].get_ydata()[0] == pytest.approx(3 / 5)  # always the first class
    bars = panels[0].collections[0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars][0], [0.86, 0.94])


def test_a_kind_of_one_run_only_has_a_panel_with_its_line():
    results = {"a": result(0.9, ("exposure",), 0.1), "b": result(0.8, ("rice",), 0.1)}
    figure = accuracy_against_severity(results, "simulated")
    labels = [[line.get_label() for line in axes.lines if line.get_label() in "ab"] for axes in shown(figure)]
    assert labels == [["a"], ["b"]]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["a", "b", "always the most frequent class"]


def test_runs_of_a_table_of_defences_look_different():
    results = {name: result(0.9, ("exposure",), 0.1) for name in "abcdefg"}
    lines = shown(accuracy_against_severity(results, "simulated"))[0].lines[:7]
    assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}) == 7


def test_sheet_shows_each_severity_and_circles_lone_pixels(tmp_path):
    context = ObservingContext(LSST)
    image = (np.random.default_rng(0).normal(size=(100, 100, 3)) * context.sky_sigma).astype(np.float32)
    examples = perturbation_examples(image, 3, context)
    chosen = {name: examples[name] for name in ("hot_pixel", "shift")}
    figure = perturbation_sheet(image, chosen, PERTURBATIONS, "simulated")
    hot, shift = figure.axes[:6], figure.axes[6:]
    assert hot[5].get_title() == "$10^5$" and hot[0].get_title() == "none"
    row, column = np.argwhere((examples["hot_pixel"][4] != image).any(axis=-1))[0]
    assert [line.get_xydata().tolist() for line in hot[5].lines] == [[[column, row]]]
    assert not hot[0].lines and not any(axes.lines for axes in shift)
    assert hot[5].images[0].get_array()[row, column].max() > 0.9 > hot[0].images[0].get_array()[row, column].max()
    save_figure(figure, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 10000
