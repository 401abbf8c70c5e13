import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.blend.maps.scores import evaluate_answers, text_of
from photoz_morph.blend.report.map_page import map_report
from photoz_morph.blend.report.map_results import MapResults, choose_images
from tests.support.maps import toy_predictions, toy_truth
from tests.support.pages import SCRIPT, Page

BASELINES = {"maps": "pixelwise", "field": "wiener", "parameters": "power_ridge"}
FIGURES = {
    "maps": {"image_best", "image_median", "image_worst", "pixels"}, "field": {"images", "spectra", "pixels"},
    "parameters": {"scatter", "pulls", "spectra"},
}  # fmt: skip


def results_of(answer, first="net"):
    truth = toy_truth(answer)
    base = BASELINES[answer]
    found = {first: toy_predictions(truth), base: toy_predictions(truth, 0.3, model=base)}
    scores = {name: evaluate_answers(part, truth, 50) for name, part in found.items()}
    values = {name: part.posterior if part.maps is None else part.maps for name, part in found.items()}
    metas = {name: dict(part.table.meta) for name, part in found.items()}
    return MapResults(scores, values, truth, metas, np.ones(3) if answer == "maps" else None, {first: "seed: 1"})


@pytest.mark.parametrize("answer", BASELINES)
def test_folder_is_complete_and_the_page_needs_nothing_else(answer, tmp_path):
    results = results_of(answer)
    path = map_report(results, tmp_path / "deep", progress=False)
    files = {f"{stem}.{suffix}" for stem in FIGURES[answer] for suffix in ("png", "pdf")}
    assert {file.name for file in path.parent.iterdir()} == files | {"report.html", "scores.md"}
    text = path.read_text()
    page = Page(text)
    assert all(re.match(r"#|data:image/png;base64,", address) for address in page.addresses)
    assert "Nothing on this page is a measurement of the sky" in page.visible
    for name, scores in results.scores.items():
        part = next(iter(scores["scores"]))
        score = text_of(scores["scores"][part]["r2"])
        assert f"{part}: explained variance, {name}{score}" in page.visible
        percent = f"{100 * scores['scores'][part]['r2']['value']:.0f} %"
        assert f"{name} explains {percent} of the variance of {part}" in page.visible
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert len(captions) == len(FIGURES[answer]) + 2 and all("Simulated" in caption for caption in captions)


def test_the_best_the_median_and_the_worst_image_are_shown():
    results = results_of("maps")
    errors = np.random.default_rng(3).permutation(12)
    maps = results.truth.values + 0.1 * errors[:, None, None, None]
    chosen = choose_images(replace(results, values={"net": maps}))
    assert [errors[row] for row in chosen.values()] == [0, 6, 11] and list(chosen) == ["best", "median", "worst"]


def test_names_are_escaped_and_a_missing_baseline_has_its_reason(tmp_path, undrawn):
    results = replace(results_of("parameters", SCRIPT), note="nowhere: no such file")
    page = Page(map_report(results, tmp_path, progress=False).read_text())
    assert "script" not in page.elements and page.visible.count(SCRIPT) >= 3
    assert "No baseline is beside them: nowhere: no such file." in page.visible


def test_predictions_of_different_images_are_refused(tmp_path):
    results = results_of("field")
    results.scores["wiener"]["n_images"] = 3
    with pytest.raises(ValueError, match="wiener: n_images is 3, that of net is 12; report predictions of the same"):
        map_report(results, tmp_path)
    many = {str(number): results.scores["net"] for number in range(5)}
    with pytest.raises(ValueError, match="5 predictions; report 4 at most together"):
        replace(results, scores=many).check()


def test_the_page_loads_no_tensorflow():
    script = "import sys; import photoz_morph.blend.report.map_page; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
