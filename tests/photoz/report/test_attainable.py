import shutil
from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.photoz.predictions import write_predictions
from photoz_morph.photoz.report.attainable import attainable, gap_sentences, ordered_methods
from photoz_morph.photoz.report.figures.attainable import PANELS, attainable_scores
from photoz_morph.photoz.report_run import current_results
from photoz_morph.runs.scores import read_scores
from tests.support.pages import Page
from tests.support.reports import photoz_predictions, photoz_run

FILES = {
    "knn": ("k-NN", 0.014), "bound_guess": ("no information", 0.05), "bound_pixels": ("pixel information", 0.006),
    "bound_truth": ("true magnitudes and structure", 0.003),
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with k-NN and bounds."""
    folder = photoz_run(tmp_path_factory.mktemp("bounds") / "run", photoz_predictions(sigma=0.01))
    for name, (model, sigma) in FILES.items():
        write_predictions(photoz_predictions(sigma=sigma, model=model), folder / f"{name}.fits")
    return folder


def text_of(entries):
    return Page("".join(entry.html for entry in entries)).visible


def test_scores_of_bounds_are_kept_apart_from_those_of_methods(run):
    scores = current_results(run).scores
    assert list(scores["comparison"]["methods"]) == ["toy", "k-NN"]
    assert list(scores["bounds"]["methods"]) == ["toy", "no information", "pixel information", FILES["bound_truth"][0]]
    assert read_scores(run / "scores.json")["bounds"] == scores["bounds"]


def test_a_line_for_each_method_from_the_worst_to_the_best(run):
    results = current_results(run)
    names = [name for name, _, _ in ordered_methods(results.scores)]
    assert names == ["no information", "k-NN", "toy", "pixel information", "true magnitudes and structure"]
    entries = attainable(results)
    figure = entries[0].draw()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == names
    for axes, score in zip(figure.axes, PANELS):
        lines = {round(line.get_xdata()[0], 9) for line in axes.lines if np.ptp(line.get_xdata()) == 0}
        for name, kind, scores in ordered_methods(results.scores):
            assert (round(scores[score]["value"], 9) in lines) or kind == "baseline", name
    assert "Simulated" in figure.get_suptitle()
    page = text_of(entries)
    assert "bound" in page and "this run" in page and "baseline" in page


def test_the_way_gone_is_that_between_the_scores():
    def method(value):
        return {"sigma_mad": {"value": value}}

    bounds = {"net": method(0.011), "pixel information": method(0.009)}
    comparison = {"net": method(0.011), "k-NN": method(0.013), "lucky": method(0.008)}
    first, *others = gap_sentences({"bounds": {"methods": bounds}, "comparison": {"methods": comparison}})
    assert "1.22 times that of an efficient measurement of the pixels (0.01100 against 0.00900)" in first
    assert others == ["From k-NN (0.01300) that is 50 % of the way."]
    assert gap_sentences({"bounds": {"methods": {"net": method(0.011), "true structure": method(0.01)}}}) == []


def test_runs_without_bounds_say_why_and_real_galaxies_have_none(run, tmp_path):
    bare = shutil.copytree(run, tmp_path / "bare", ignore=shutil.ignore_patterns("bound_*", "scores.json"))
    results = current_results(bare)
    assert f"create them with photoz baseline {bare} --method bounds" in text_of(attainable(results))
    noted = replace(results, bounds_note="the dataset is gone")
    assert "No bounds are shown: the dataset is gone." in text_of(attainable(noted))
    some = replace(current_results(run), bounds_note="of another recipe")
    assert "Not all bounds are shown: of another recipe." in text_of(attainable(some))
    real = photoz_run(tmp_path / "real", photoz_predictions(origin="stacked"))
    assert attainable(current_results(real)) == [] and "bounds" not in current_results(real).scores


def test_figure_of_scores_far_apart_is_readable():
    def scores(value):
        return {name: {"value": value, "error": value / 50} for name in PANELS}

    figure = attainable_scores([("guess", "bound", scores(0.06)), ("net", "run", scores(0.01))], "simulated")
    assert figure.axes[0].get_xscale() == "log" and figure.axes[0].get_xlim()[0] < 0.01
