import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.blend.deblending_scores import evaluate_deblended
from photoz_morph.blend.report.deblending_page import DeblendingResults, choose_blends, deblending_report
from tests.support.blends import deblended_galaxies, toy_blends
from tests.support.pages import SCRIPT, Page


@pytest.fixture(scope="module")
def results():
    """A network with samples beside a worse one without, and `sep`, which gives no shapes."""
    tables = {"net": deblended_galaxies(60, n_samples=99), "plain": deblended_galaxies(60, flux_error=0.3)}
    tables["sep for fluxes"] = deblended_galaxies(60, flux_error=0.5)
    tables["sep for fluxes"]["shape"][:] = np.nan
    tables["sep for fluxes"].meta["model"] = "sep"
    scores = {name: evaluate_deblended(table, n_bootstrap=50) for name, table in tables.items()}
    metas = {name: dict(table.meta) for name, table in tables.items()}
    return DeblendingResults(scores, toy_blends(3), metas, {"net": "task: blend"})


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    path = deblending_report(results, tmp_path_factory.mktemp("report") / "deep", progress=False)
    return path, path.read_text()


def test_folder_is_complete_and_the_page_needs_nothing_else(page):
    path, text = page
    files = {f"{stem}.{suffix}" for stem in ("errors", "coverage", "blends") for suffix in ("png", "pdf")}
    assert {file.name for file in path.parent.iterdir()} == files | {"report.html", "scores.md"}
    assert all(re.match(r"#|data:image/png;base64,", address) for address in Page(text).addresses)


def test_numbers_in_the_page_are_those_of_the_scores(results, page):
    visible = Page(page[1]).visible
    assert "median error of 8 %" in visible or "median error of 7 %" in visible or "median error of 6 %" in visible
    for name, scores in results.columns.items():
        value = scores["flux_error"]["strongly_blended"]["of_all"]["median_absolute"]
        low, high = value["interval"]
        assert f"of strongly blended, {name}{value['value']:.3f} ({low:.3f} to {high:.3f})" in visible
    assert "; those of sep for fluxes 50 % (50 to 50 %) and 50 % (50 to 50 %)." in visible
    assert "median error of the size, sep" not in visible  # sep gives no shapes


def test_sections_come_in_the_order_of_the_questions(page):
    titles = re.findall(r'<h2 id="part-\d+">\d+\. (.*?)</h2>', page[1])
    assert titles == ["Scores", "By blendedness", "Samples", "Blends", "Provenance"]
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page[1])
    assert captions and all("Simulated images with known truth" in caption for caption in captions)


def test_without_samples_nothing_is_said_of_them(results, tmp_path, undrawn):
    alone = replace(results, columns={SCRIPT: results.columns["plain"]}, metas={SCRIPT: results.metas["plain"]},
                    examples=[{**one, "samples": None} for one in results.examples], note="x: no sep")  # fmt: skip
    page = Page(deblending_report(alone, tmp_path, progress=False).read_text())
    assert "script" not in page.elements and page.visible.count(SCRIPT) >= 3
    assert "No baseline is beside them: x: no sep." in page.visible
    assert "within the central intervals" not in page.visible
    assert "standard deviation of the samples" not in page.visible


def test_predictions_of_other_images_are_refused(results, tmp_path):
    fewer = evaluate_deblended(deblended_galaxies(20), n_bootstrap=50)
    with pytest.raises(ValueError, match="other: n_images is 20, that of net is 60; report predictions of the same"):
        deblending_report(replace(results, columns=results.columns | {"other": fewer}), tmp_path)


def test_examples_are_the_best_the_median_and_the_worst_of_the_strongly_blended():
    table = deblended_galaxies(11)
    table["blendedness"] = np.where(np.arange(11) < 6, 0.5, 0.0)
    wrong = np.array([0.3, -0.5, 0.1, 0.2, -0.4, np.nan, *[0.9] * 5])
    table["flux"] = np.asarray(table["true_flux"]) * (1 + wrong[:, None])
    chosen = choose_blends(table)
    assert [(one["role"], one["row"]) for one in chosen] == [("best", 2), ("median", 0), ("worst", 1)]
    np.testing.assert_allclose([one["error"] for one in chosen], [0.1, 0.3, -0.5])
    table["blendedness"] = 0.0
    assert [one["row"] for one in choose_blends(table)][0] == 2  # of all, where none is strongly blended


def test_the_page_loads_no_tensorflow():
    script = "import sys; import photoz_morph.blend.report.deblending_page; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
