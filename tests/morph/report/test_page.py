import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.morph.report.page import morph_report
from photoz_morph.morph.report.results import MorphResults
from tests.support.morph import CLASSES, toy_predictions
from tests.support.pages import SCRIPT, Page
from tests.support.reports import scored_run, toy_baselines, two_arms


@pytest.fixture(scope="module")
def results():
    return two_arms()


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    """The written page and its text."""
    path = morph_report(results, tmp_path_factory.mktemp("report") / "deep" / "report", progress=False)
    return path, path.read_text()


def test_numbers_in_the_page_are_those_of_the_scores(results, page):
    visible = Page(page[1]).visible
    for run in results.runs:
        for domain in ("Y10", "Y1"):
            accuracy = run["scores"]["domains"][domain]["mean"]["accuracy"]
            assert f"{accuracy['value']:.3f} ± {accuracy['error']:.3f}" in visible
    difference = results.comparison["domains"]["Y1"]["difference"]
    assert f"{difference['value']:+.3f} ± {difference['error']:.3f}" in visible
    assert re.search(r"; MMD recovers \d+ % of it \(", visible)


def test_folder_is_complete_and_the_page_needs_nothing_else(page):
    path, text = page
    stems = {"examples", *(f"sheet_{name}" for name in CLASSES), "gini_m20", "accuracy", "confusion", "isomap",
             "reliability", "risk_coverage", "training"}  # fmt: skip
    files = {f"{stem}.{suffix}" for stem in stems for suffix in ("png", "pdf")}
    assert {file.name for file in path.parent.iterdir()} == files | {
        "report.html", "table1.md", "table1.csv", "comparison.md",
    }  # fmt: skip
    addresses = Page(text).addresses
    assert all(re.match(r"#|data:image/png;base64,", address) for address in addresses)
    # Two figures are shown on the first screen, too.
    assert sum(address.startswith("data:") for address in addresses) == len(stems) + 2


def test_sections_come_in_the_order_of_a_referees_questions(page):
    titles = re.findall(r'<h2 id="part-\d+">\d+\. (.*?)</h2>', page[1])
    assert titles == ["Scores", "Examples", "Contact sheets", "Labels", "Accuracy", "Confusion", "Latent space",
                      "Calibration", "Training", "Provenance"]  # fmt: skip


def test_every_caption_says_what_the_galaxies_are(page):
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page[1])
    assert len(captions) == 13 and all("Simulated stand-in galaxies" in caption for caption in captions)
    assert "Nothing on this page is a measurement of the sky" in Page(page[1]).visible


def test_baselines_stand_beside_the_runs(results, tmp_path, undrawn):
    baselines = toy_baselines(results.runs, strength_y1=1.4)
    path = morph_report(replace(results, baselines=baselines), tmp_path, progress=False)
    visible = Page(path.read_text()).visible
    accuracy = baselines["boosting"]["scores"]["domains"]["Y1"]["mean"]["accuracy"]
    assert visible.count(f"{accuracy['value']:.3f} ± {accuracy['error']:.3f}") >= 2  # first screen and Table 1
    for run in ("regular", "MMD"):
        assert re.search(rf"In Y10 ({run} and boosting|boosting and {run}) tie on 294 simulated galaxies", visible)
        assert re.search(rf"Without a network, boosting on measurements of the stamps.* {run}", visible)
    assert "In Y1 boosting beats regular on 294 simulated galaxies: accuracy" in visible
    assert "| boosting | accuracy |" in (tmp_path / "table1.md").read_text()
    assert ",boosting,mean,Y1,accuracy," in (tmp_path / "table1.csv").read_text()
    assert "Grey: without a network" in visible and "No baseline" not in visible


def test_a_missing_baseline_has_its_reason(results, tmp_path, undrawn):
    path = morph_report(replace(results, baseline_note="/nowhere: no dataset"), tmp_path, progress=False)
    assert "No baseline is compared: /nowhere: no dataset." in Page(path.read_text()).visible


def test_one_run_is_reported_without_what_is_missing(tmp_path):
    table = toy_predictions(n=120, n_seeds=1, origin="observed")
    run = scored_run(SCRIPT, table, n_seeds=1) | {"facts": {SCRIPT: SCRIPT}}
    unknown = np.full(9, -1)
    sample = {"gini": np.full(9, np.nan), "m20": np.full(9, np.nan), "label": np.arange(9) % 3}
    sample |= {"label_g": unknown, "intended_type": unknown}
    results = MorphResults([run], "observed", sample=sample, note=f"no images, {SCRIPT}")
    path = morph_report(results, tmp_path, progress=False)
    page = Page(path.read_text())
    assert "script" not in page.elements and page.visible.count(SCRIPT) >= 4
    assert "Left out: no images" in page.visible and "Gini and M20 of these galaxies are not known" in page.visible
    assert "Table 2" not in page.visible
    assert "Real galaxies" in page.visible and "imulated" not in page.visible.replace("simulation", "")
    assert not (tmp_path / "comparison.md").exists()


def test_results_that_contradict_themselves_are_refused(results, tmp_path):
    first, second = results.runs
    other = scored_run("other", toy_predictions(n=60))
    strangers = {"boosting": {"scores": other["scores"], "comparisons": {}}}
    for change, message in (
        ({"runs": [first, first]}, "different names, got regular, regular"),
        ({"runs": [first, other]}, "other: n_galaxies is 58, that of regular is 294"),
        ({"origin": "tng"}, "regular: origin is simulated, not tng"),
        ({"others": [second]}, "two runs of a report are named MMD; rename"),
        ({"baselines": strangers}, "boosting: n_galaxies is 58, that of regular is 294"),
    ):
        with pytest.raises(ValueError, match=message):
            morph_report(replace(results, **change), tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def test_morph_report_loads_no_tensorflow():
    script = "import sys; import photoz_morph.morph.report.page; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
