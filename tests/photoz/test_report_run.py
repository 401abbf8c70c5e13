import json
import os
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.metrics.redshifts.pdf_scores import pit
from photoz_morph.photoz import report_run
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.evaluation.scores import evaluate
from photoz_morph.photoz.predictions import read_predictions, write_predictions
from photoz_morph.photoz.report.text import score_tables
from photoz_morph.photoz.report_run import current_results
from photoz_morph.runs.scores import read_scores, write_scores
from photoz_morph.surveys import SDSS
from tests.support.pages import Page
from tests.support.reports import GRID, photoz_predictions, photoz_run


def test_scores_of_older_predictions_are_made_anew(tmp_path):
    run = photoz_run(tmp_path / "run", photoz_predictions(sigma=0.03))
    old = current_results(run).scores["all"]["sigma_mad"]["value"]
    assert read_scores(run / "scores.json")["all"]["sigma_mad"]["value"] == old
    write_predictions(photoz_predictions(sigma=0.01), run / "predictions.fits")
    os.utime(run / "scores.json", (0, 0))
    new = current_results(run).scores
    assert new["all"]["sigma_mad"]["value"] < old / 2
    assert read_scores(run / "scores.json") == new


def test_scores_that_are_newer_are_taken_as_they_are(tmp_path):
    run = photoz_run(tmp_path / "run", photoz_predictions())
    scores = evaluate(photoz_predictions(), GRID, n_bootstrap=7)
    write_scores(scores, run / "scores.json")
    assert current_results(run).scores["n_bootstrap"] == 7


@pytest.mark.parametrize("options", [[], ["--widest-removed", "0.5", "--out", "{run}/scores.json"]])
def test_scores_of_something_else_are_not_taken_for_those_of_the_run(tmp_path, options):
    run = photoz_run(tmp_path / "run", photoz_predictions())
    write_predictions(photoz_predictions(sigma=0.03, model="k-NN"), run / "knn.fits")
    source = run / "predictions.fits" if options else run / "knn.fits"
    arguments = ["evaluate", str(source), *(option.format(run=run) for option in options)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    scores = current_results(run).scores
    assert scores["model"] == "toy" and scores["n_galaxies"] == 300
    assert list(scores["comparison"]["methods"]) == ["toy", "k-NN"]
    (run / "knn.fits").unlink()
    assert "comparison" not in current_results(run).scores


def test_a_broken_file_is_named_before_the_baselines_are_made(monkeypatch, tmp_path):
    run = photoz_run(tmp_path / "run", photoz_predictions())
    (run / "environment.json").write_text("{")
    monkeypatch.setattr(report_run, "update_baselines", lambda *arguments, **options: pytest.fail("made"))
    with pytest.raises(ValueError, match="environment.json: not JSON, or truncated"):
        report_run.report_run(run, progress=False)


def test_comparison_is_there_with_the_knn_and_only_then(plain, tmp_path):
    assert "Methods on the same" not in plain[1] and "No baseline is compared" in plain[1]
    run = photoz_run(tmp_path / "run", photoz_predictions())
    current_results(run)  # writes scores without a comparison, newer than the table that comes now
    write_predictions(photoz_predictions(sigma=0.03, model="k-NN"), run / "knn.fits")
    os.utime(run / "knn.fits", (0, 0))
    results = current_results(run)
    tables = Page("".join(score_tables(results))).visible
    assert "Methods on the same 300" in tables and "toy beats k-NN on 300 simulated galaxies" in tables
    difference = read_scores(run / "scores.json")["comparison"]["differences"]["k-NN"]["sigma_mad"]
    assert f"{difference['value']:.5f} ± {difference['error']:.5f}" in tables


def test_folder_that_is_no_run_is_refused_with_one_line(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        result = CliRunner().invoke(main, ["report", str(folder)])
        assert result.exit_code == 1 and result.output.count("\n") == 1
        assert re.search("not a run folder .*photoz train", result.output)


def test_command_predicts_scores_and_writes_the_page(reported):
    run, result = reported
    assert result.exit_code == 0, result.output
    assert f"Report in {run}/report/report.html" in result.output
    page = Page((run / "report" / "report.html").read_text()).visible
    assert re.search(r"4 networks in [\d.]+ min", page) and re.search(r"peak memory\d+\.\d GB", page)
    assert "2 networks of type" in page and "30 random stamps" in page and "single members" in page
    assert (run / "predictions.fits").exists() and (run / "scores.json").exists()


def test_pit_of_each_member_is_stored_and_that_of_its_own_pdf(reported, data_dir):
    from photoz_morph.datasets import reading
    from photoz_morph.photoz import dataset as pipeline
    from photoz_morph.photoz.predict import load_ensemble
    from photoz_morph.runs.folder import finished_members

    run, _ = reported
    table, grid = read_predictions(run / "predictions.fits")
    assert table["pit_member"].shape == (len(table), 2)
    in_fold = table[table["fold"] == 1]
    batch = next(iter(pipeline.image_batches(reading.open_dataset(data_dir), "fold_1", 1000)))
    for number, path in enumerate(finished_members(run, PhotozConfig)[1]):
        own = pit(in_fold["z_spec"], load_ensemble([path])(batch).numpy(), grid)
        np.testing.assert_allclose(in_fold["pit_member"][:, number], own, atol=1e-5)


def test_run_whose_dataset_is_gone_is_reported_without_stamps(reported, tmp_path, undrawn):
    run = shutil.copytree(reported[0], tmp_path / "run")
    dataset = json.loads((run / "dataset.json").read_text())
    (run / "dataset.json").write_text(json.dumps({**dataset, "path": str(tmp_path / "gone")}))
    result = CliRunner().invoke(main, ["report", str(run), "-q", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0 and result.output == ""
    page = Page((tmp_path / "out" / "report.html").read_text()).visible
    assert f"the dataset is missing in {tmp_path}/gone; give its folder with --data-dir" in page


def test_random_stacks_are_of_the_test_folds(reported, data_dir):
    from photoz_morph.datasets.reading import open_dataset
    from photoz_morph.photoz.report_run import random_stacks

    table, _ = read_predictions(reported[0] / "predictions.fits")
    images, obj_id = random_stacks(open_dataset(data_dir), [0, 1], 7)
    assert images.shape == (7, *SDSS.image_shape) and len(set(obj_id)) == 7
    folds = table["fold"][[list(table["obj_id"]).index(number) for number in obj_id]]
    assert list(folds) == [0, 0, 0, 0, 1, 1, 1]
