import re
import subprocess
import sys
from dataclasses import replace

import pytest

from photoz_morph.blend.report.page import blend_report
from tests.support.blends import numbered, random_scenes, toy_results
from tests.support.pages import SCRIPT, Page


@pytest.fixture(scope="module")
def results():
    return toy_results(numbered(random_scenes(9, 3)))


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    """The written page and its text."""
    path = blend_report(results, tmp_path_factory.mktemp("report") / "deep", progress=False)
    return path, path.read_text()


def test_folder_is_complete_and_the_page_needs_nothing_else(page):
    path, text = page
    stems = {"magnitude", "blendedness", "fluxes", "confusion", "image_best", "image_median", "image_worst"}
    files = {f"{stem}.{suffix}" for stem in stems for suffix in ("png", "pdf")}
    assert {file.name for file in path.parent.iterdir()} == files | {"report.html", "scores.md"}
    addresses = Page(text).addresses
    assert all(re.match(r"#|data:image/png;base64,", address) for address in addresses)
    assert sum(address.startswith("data:") for address in addresses) == len(stems) + 2  # two on the first screen


def test_numbers_in_the_page_are_those_of_the_scores(results, page):
    visible = Page(page[1]).visible
    for name, scores in results.columns.items():
        value, (low, high) = scores["source_iou"]["all"]["value"], scores["source_iou"]["all"]["interval"]
        assert f"IoU of sources, {name}{value:.3f} ({low:.3f} to {high:.3f})" in visible
    missed = 100 * results.baselines["source_iou"]["completeness"]["all"]["value"]
    assert re.search(rf"net finds 100 % \(100 to 100 %\) of the targets .*; sep for IoU {missed:.0f} %", visible)
    assert "net is better than sep in: IoU of sources 1.000" in visible
    assert "is worse than sep" not in visible


def test_sections_come_in_the_order_of_a_referees_questions(page):
    titles = re.findall(r'<h2 id="part-\d+">\d+\. (.*?)</h2>', page[1])
    assert titles == ["Scores", "By magnitude", "By blendedness", "Fluxes", "Classes", "Images", "Provenance"]


def test_every_caption_says_what_the_images_are(page):
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page[1])
    assert len(captions) == 9 and all("Simulated images with known truth" in caption for caption in captions)
    assert "Nothing on this page is a measurement of the sky" in Page(page[1]).visible


def test_sep_alone_is_reported(results, tmp_path, undrawn):
    alone = replace(results, networks={}, metas={"sep for IoU": results.metas["sep for IoU"]}, configs={})
    page = Page(blend_report(alone, tmp_path, progress=False).read_text())
    assert "Sources found in images: sep" in page.visible and "sep for IoU finds " in page.visible
    assert "than sep" not in page.visible and "net" not in (tmp_path / "scores.md").read_text()


def test_names_are_escaped_and_a_missing_baseline_has_its_reason(results, tmp_path, undrawn):
    scores = results.networks["net"]
    alone = replace(results, networks={SCRIPT: scores}, baselines={}, metas={SCRIPT: results.metas["net"]},
                    note="/nowhere: no predictions of sep")  # fmt: skip
    page = Page(blend_report(alone, tmp_path, progress=False).read_text())
    assert "script" not in page.elements and page.visible.count(SCRIPT) >= 3
    assert "No baseline is beside them: /nowhere: no predictions of sep." in page.visible


def test_blend_report_loads_no_tensorflow():
    script = "import sys; import photoz_morph.blend.report.page; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
