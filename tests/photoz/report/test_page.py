import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from photoz_morph.config import load_config, save_config
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.predictions import read_predictions, write_predictions
from photoz_morph.photoz.report.page import write_report
from photoz_morph.photoz.report_run import current_results
from photoz_morph.runs.scores import read_scores
from photoz_morph.surveys import SDSS
from tests.support.pages import SCRIPT, Page
from tests.support.reports import GRID, photoz_predictions, photoz_run, report_text


def test_numbers_in_the_page_are_those_of_scores_json(plain):
    run, text = plain
    page = Page(text).visible
    scores = read_scores(run / "scores.json")
    for fold in ("0", "1"):
        part = scores["folds"][fold]
        sigma, eta = part["sigma_mad"], part["eta"]
        assert f"{sigma['value']:.5f} ± {sigma['error']:.5f}" in page
        assert f"{100 * eta['value']:.2f} ± {100 * eta['error']:.2f}" in page
    mean = scores["mean"]["crps"]
    assert f"{mean['value']:.5f} ± {mean['sd_over_folds']:.5f}" in page
    assert scores == json.loads(json.dumps(evaluate(photoz_predictions(n_flagged=20), GRID)))


def test_page_needs_nothing_from_elsewhere(plain):
    text = plain[1]
    page = Page(text)
    assert all(re.match(r"#|data:image/png;base64,", address) for address in page.addresses)
    assert sum(address.startswith("data:") for address in page.addresses) == 14 + 2  # two on the first screen, too
    assert not {"script", "link", "iframe", "object"} & set(page.elements)
    assert "@import" not in text and "url(" not in text and "http" not in page.visible


def test_what_a_user_can_write_is_escaped(tmp_path, undrawn):
    run = photoz_run(tmp_path / "run", photoz_predictions(model="<b>net</b>"))
    (run / "config.yaml").write_text(f"# {SCRIPT}\n" + (run / "config.yaml").read_text())
    dataset = json.loads((run / "dataset.json").read_text())
    (run / "dataset.json").write_text(json.dumps({**dataset, "path": f'"{SCRIPT}'}))
    (run / "environment.json").write_text(json.dumps({SCRIPT: SCRIPT}))
    page = Page(report_text(run, note=SCRIPT))
    assert "script" not in page.elements and "<b>net</b>" in page.visible
    assert page.visible.count(SCRIPT) >= 6


def test_page_says_what_the_galaxies_are(plain, tmp_path, undrawn):
    simulated = Page(plain[1]).visible
    assert "Simulated galaxies with known truth" in simulated and "simulated SDSS galaxies" in simulated
    assert "real sdss" not in simulated.lower()
    real = Page(report_text(photoz_run(tmp_path / "b", photoz_predictions(origin="stacked")))).visible
    assert "Real SDSS galaxies" in real
    assert "simulated" not in re.sub(r"simulation:|photoz_simulated", "", real).lower()


def test_flagged_galaxies_are_counted_and_left_out_of_every_figure(plain):
    page = Page(plain[1]).visible
    assert "20 flagged" in page and "n = 280" in page and "n = 300" not in page


def test_missing_stacks_are_reported(plain):
    assert Page(plain[1]).visible.count("Left out: no stack of these galaxies") == 2


def test_folder_is_complete_and_has_no_temporary_files(tmp_path):
    run = photoz_run(tmp_path / "run", photoz_predictions())
    stacks = np.zeros((3, *SDSS.image_shape)), np.array([7, 1_000_000, 3])
    page = write_report(current_results(run), tmp_path / "out" / "deep", stacks, progress=False)
    assert "2 random stamps" in Page(page.read_text()).visible  # one is not in the table
    assert page == tmp_path / "out" / "deep" / "report.html" and not (run / "report").exists()
    names = {path.name for path in page.parent.iterdir()}
    stems = {"z_phot_z_spec", "residuals", "bias_trends", "galaxies_with_pdf", "pit", "loss_curves",
             "redshifts_magnitudes", "sky_map", "stamps", "width_cuts", "width_histogram", "coverage", "trend_ebv",
             "sky_bias", "sky_width", "tomography"}  # fmt: skip
    figures = {f"{stem}.{suffix}" for stem in stems for suffix in ("png", "pdf")}
    assert names == figures | {"report.html", "table1.csv", "table2.csv", "trends.csv", "tomography.csv"}


def test_sections_come_in_the_order_of_a_referees_questions(plain):
    titles = re.findall(r'<h2 id="part-\d+">\d+\. (.*?)</h2>', plain[1])
    titles = [re.sub(r"<.*?>", "", title) for title in titles]
    assert titles == [
        "Scores", "Attainable", "The paper&#x27;s trials", "zphot against zspec", "Residuals",
        "PDFs of random galaxies", "Calibration of the PDFs", "Widths and coverage", "Trends",
        "Tomographic bins", "Colour cells", "Sky", "Training", "Sample", "Random stamps", "Provenance",
    ]  # fmt: skip


def test_a_trial_stands_in_table_2_and_beside_the_run_in_figure_11(tmp_path, undrawn):
    run = photoz_run(tmp_path / "run", photoz_predictions())
    trial = photoz_run(tmp_path / "no_ebv", photoz_predictions(sigma=0.03))
    save_config(load_config("photoz_simulated.yaml", PhotozConfig, ["model.with_ebv=false"]), trial / "config.yaml")
    deep = photoz_run(tmp_path / "deep", photoz_predictions(sigma=0.05))
    save_config(load_config("photoz_simulated.yaml", PhotozConfig, ["data.train_on=deep"]), deep / "config.yaml")
    write_predictions(photoz_predictions(sigma=0.02, model="k-NN"), run / "knn.fits")
    page = Page(report_text(run, [trial, deep])).visible
    assert "zphot of without E(B-V) minus zphot with E(B-V): consistent with flat" in page
    assert "zphot of k-NN minus zphot with E(B-V): consistent with flat" in page
    assert "Missing rows: " in page and "Not in the dataset: inclination, neighbours" in page
    rows = (run / "report" / "table2.csv").read_text().splitlines()
    assert rows[1].startswith('simulated,"80 %",,300,') and rows[-1].startswith('simulated,"without E(B-V)",,')
    # No frames are known: nothing says which test galaxies are deep.
    assert not any("deep" in row for row in rows)
    assert "1 x 2 folds" in page and "data.train_on" in page and f"photoz report {run}_again {trial} {deep}" in page
    with pytest.raises(ValueError, match=r"run: is trained as .*run is \(80 %\); it is no trial of it"):
        current_results(run, [run])
    with pytest.raises(ValueError, match="no_ebv: is the trial 'without E.*' like .*no_ebv; give one"):
        current_results(run, [trial, trial])
    changes = ["data.train_on=deep", "model.crop=40"]
    save_config(load_config("photoz_simulated.yaml", PhotozConfig, changes), deep / "config.yaml")
    with pytest.raises(ValueError, match="deep: differs from .*run in model.crop too; a trial differs in one choice"):
        current_results(run, [deep])
    assert "This run is itself a trial: without E(B-V)" in Page(report_text(trial)).visible
    dataset = json.loads((trial / "dataset.json").read_text()) | {"galaxies_per_fold": [8] * 5}
    (trial / "dataset.json").write_text(json.dumps(dataset))
    with pytest.raises(ValueError, match="no_ebv: was trained on another dataset than .*run"):
        current_results(run, [trial])
    with pytest.raises(ValueError, match="region 'north' is neither"):
        current_results(run, region="north")


def test_provenance_has_the_time_taken_and_the_commands_that_repeat_it(plain):
    run, text = plain
    page = Page(text).visible
    assert "2.0 min in total, 60 s per network" in page and "/device:CPU:0" in page
    assert f"photoz train '{run}/config.yaml' --ensemble 1 --cv 2 --data-dir /nowhere" in page
    assert "label_sigma: " in page


def test_predictions_without_the_pit_of_members_are_reported_and_say_so(reported, tmp_path, undrawn):
    run = shutil.copytree(reported[0], tmp_path / "run")
    table, _ = read_predictions(run / "predictions.fits")
    table.remove_column("pit_member")
    write_predictions(table, run / "predictions.fits")
    page = Page(report_text(run)).visible
    assert "The predictions lack the PIT of the members" in page and "single members" not in page


def test_report_package_loads_no_tensorflow():
    script = "import sys; import photoz_morph.photoz.report.page; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
