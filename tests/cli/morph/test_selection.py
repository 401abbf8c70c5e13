"""The commands `morph select` and `morph calibrate` on trained runs, and what `morph report` shows of them."""

import json
import shutil

import pytest
from click.testing import CliRunner

from photoz_morph.cli.morph import main
from photoz_morph.metrics.selection.scores import SCORES
from photoz_morph.morph.predictions import read_morph_predictions
from photoz_morph.morph.report.selection import calibration_entries, selection_entries
from photoz_morph.morph.report_run import run_results
from tests.support.reports import results_of


@pytest.fixture(scope="module")
def runs(morph_run_dirs, tmp_path_factory):
    """Copies of both arms, ranked and calibrated, and what the commands said."""
    folder = tmp_path_factory.mktemp("selection")
    runs = {name: folder / name for name in morph_run_dirs}
    for name, run in runs.items():
        shutil.copytree(morph_run_dirs[name], run)
    said = {command: morph(command, *runs.values()) for command in ("select", "calibrate")}
    return runs, said


def morph(*words):
    result = CliRunner().invoke(main, [*map(str, words)])
    return result.exit_code, result.output


def test_runs_are_ranked_by_every_score(runs):
    folders, said = runs
    code, output = said["select"]
    assert code == 0, output
    texts = [(run / "selection.json").read_text() for run in folders.values()]
    assert texts[0] == texts[1]
    selection = json.loads(texts[0])
    assert set(selection["choices"]) == set(SCORES) and set(selection["runs"]) == {"regular", "mmd"}
    assert all(title in output for title, _, _ in SCORES.values())
    assert "accuracy in Y1, by its labels" in output
    assert all((run / "validation.fits").exists() for run in folders.values())


def test_a_second_call_uses_the_answers_that_are_there(runs):
    folders, _ = runs
    before = {run: (run / "validation.fits").stat().st_mtime_ns for run in folders.values()}
    code, output = morph("select", folders["mmd"], "--quiet")
    assert code == 0 and output == ""  # one run of two seeds is a choice, too
    assert before == {run: (run / "validation.fits").stat().st_mtime_ns for run in folders.values()}
    assert morph("select", *folders.values(), "--quiet")[0] == 0


def test_calibrated_predictions_can_be_evaluated(runs):
    folders, said = runs
    code, output = said["calibrate"]
    assert code == 0, output
    assert output.count("TransCal") >= 2 and "uses its labels" in output
    path = folders["mmd"] / "predictions_calibrated.fits"
    assert read_morph_predictions(path).meta["temperature"] == "weighted"
    code, output = morph("evaluate", path, "--against", folders["mmd"])
    assert code == 0, output
    assert "MMD + temperature" in output
    calibration = json.loads((folders["mmd"] / "calibration.json").read_text())
    assert set(calibration["temperatures"]) == {"source", "weighted", "transcal", "oracle"}


def test_the_report_shows_both_and_leaves_out_results_of_other_networks(runs):
    folders, _ = runs
    found = [run_results(run) for run in folders.values()]
    results = results_of(found)
    entries = [*calibration_entries(results, "galaxies", "all"), *selection_entries(results, "galaxies")]
    assert [entry.name for entry in entries if entry.draw] == ["risk_coverage", "temperatures", "selection"]
    for run in found:
        run["table"].meta["model_id"] = "other"
    entries = [*calibration_entries(results, "galaxies", "all"), *selection_entries(results, "galaxies")]
    assert [entry.name for entry in entries if entry.draw] == ["risk_coverage"]
    assert [entry.caption for entry in entries if "of other networks; `morph" in entry.caption] and len(entries) == 4


def test_predictions_with_dropout_have_a_file_of_their_own(runs):
    folders, _ = runs
    code, output = morph("predict", folders["mmd"], "--mc-dropout", 2, "--split", "validation")
    assert code == 0, output
    assert (folders["mmd"] / "predictions_validation_mc_dropout.fits").exists()


def test_what_cannot_be_ranked_is_refused_in_one_line(runs, tmp_path):
    folders, _ = runs
    for words, message in (
        (["select"], "give one RUN or more"),
        (["select", tmp_path], "not a run folder"),
        (["calibrate", folders["mmd"], folders["mmd"]], "have the same name"),
        (["calibrate", folders["mmd"], "--target", "oracle"], "oracle"),
    ):
        code, output = morph(*words)
        assert code and output.count("\n") == 1 and message in output, output


def test_a_run_of_composites_is_refused_before_the_work_on_another(runs, tmp_path):
    folders, _ = runs
    untouched, composites = tmp_path / "untouched", tmp_path / "composites"
    for folder in (untouched, composites):
        folder.mkdir()
        for name in ("config.yaml", "dataset.json"):
            shutil.copy(folders["mmd"] / name, folder)
    facts = json.loads((composites / "dataset.json").read_text())
    (composites / "dataset.json").write_text(json.dumps(facts | {"origin": "composites"}))
    for command in ("select", "calibrate"):
        code, output = morph(command, untouched, composites)
        assert code and output.count("\n") == 1 and "composites: choice and calibration without labels" in output
    assert sorted(path.name for path in untouched.iterdir()) == ["config.yaml", "dataset.json"]


def test_ensemble_is_another_name_of_seeds(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("photoz_morph.cli.morph.training._dataset_or_default", lambda *arguments: None)
    monkeypatch.setattr("photoz_morph.cli.morph.training.train_run", lambda *arguments: asked.append(arguments[4]))
    for option in ("--ensemble", "--seeds"):
        assert morph("train", "morph_regular.yaml", option, 5, "--run-dir", tmp_path / "run")[0] == 0
    assert asked == [5, 5]
