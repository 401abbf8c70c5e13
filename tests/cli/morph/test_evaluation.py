"""The commands `morph evaluate` on tables of predictions and `morph baseline`."""

import json

import pytest
from click.testing import CliRunner

from photoz_morph.cli.morph import main
from photoz_morph.config import load_config, save_config
from photoz_morph.morph import dataset
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.evaluation.comparison import compare_morph
from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.predictions import read_morph_predictions, write_morph_predictions
from tests.support.morph import toy_predictions


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    """Predictions of the regular arm, and of an arm that is better on Y1."""
    folder = tmp_path_factory.mktemp("arms")
    tables = {"regular": toy_predictions(n=120), "mmd": toy_predictions(n=120, strength_y1=1.5, adaptation="mmd")}
    for name, table in tables.items():
        write_morph_predictions(table, folder / f"{name}.fits")
    return folder, tables


def evaluate(*words):
    return CliRunner().invoke(main, ["evaluate", *map(str, words)])


def test_scores_of_a_file_are_written_beside_it(arms):
    folder, tables = arms
    result = evaluate(folder / "regular.fits")
    assert result.exit_code == 0, result.output
    assert f"Scores in {folder / 'scores.json'}." in result.output
    assert json.loads((folder / "scores.json").read_text()) == evaluate_morph(tables["regular"])


def test_the_other_arm_is_compared_and_its_scores_are_kept(arms, tmp_path):
    folder, tables = arms
    result = evaluate(folder / "regular.fits", "--against", folder / "mmd.fits", "--out", tmp_path / "scores.json")
    assert result.exit_code == 0, result.output
    scores = json.loads((tmp_path / "scores.json").read_text())
    comparison = scores.pop("comparison")
    assert scores == evaluate_morph(tables["regular"])
    assert comparison.pop("scores_against") == evaluate_morph(tables["mmd"])
    assert comparison.pop("against") == str(folder / "mmd.fits")
    assert comparison == json.loads(json.dumps(compare_morph(tables["regular"], tables["mmd"])))
    assert "Their configs differ" not in result.output  # of run folders only


def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path):
    result = evaluate(tmp_path)
    assert result.exit_code == 1 and result.output.count("\n") == 1 and "`morph train`" in result.output


def baseline(*words):
    return CliRunner().invoke(main, ["baseline", *map(str, words)])


def test_baselines_of_a_dataset_are_written_and_scored(morph_data_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = baseline(morph_data_dir, "--seeds", 1, "--processes", 1)
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == {"baseline_boosting.fits", "baseline_boosting_both.fits"}
    assert "| boosting | accuracy |" in result.output and "| boosting with Y1 labels | accuracy |" in result.output


def test_a_baseline_of_a_run_is_compared_and_its_scores_leave_those_of_the_run(morph_data_dir, tmp_path):
    save_config(load_config("morph_regular.yaml", MorphConfig, ["data.classes=merger"]), tmp_path / "config.yaml")
    (tmp_path / "dataset.json").write_text(json.dumps(dataset.describe(dataset.open_dataset(morph_data_dir))))
    result = baseline(tmp_path, "--seeds", 2, "--processes", 1, "--train-on", "Y10")
    assert result.exit_code == 0, result.output
    path = tmp_path / "boosting.fits"
    assert f"in {path}. Next: morph evaluate {tmp_path} --against {path}" in result.output
    assert read_morph_predictions(path).meta["classes"] == "not merger,merger"
    assert evaluate(path).exit_code == 0
    assert json.loads((tmp_path / "boosting_scores.json").read_text())["model"] == "boosting"
    assert not (tmp_path / "scores.json").exists()


@pytest.mark.parametrize(
    "words, message",
    [
        (["--out", "a.fits"], "--out names one file; give --train-on Y10 or --train-on both"),
        (["--data-dir", "data"], "--data-dir is for a RUN"),
        (["--train-on", "Y10", "--out", "a.csv"], "a.csv: --out must end in .fits"),
        (["nowhere"], "nowhere: no prepared dataset found; make one with `morph build MOCKS --data-dir nowhere`"),
    ],
)
def test_baselines_that_cannot_be_made_are_refused_in_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = baseline(*words)
    assert result.exit_code != 0 and result.output.count("\n") == 1 and message in result.output
    assert not list(tmp_path.iterdir())


def test_classes_of_a_run_are_its_own(tmp_path):
    (tmp_path / "config.yaml").touch()
    assert "--classes is for a DATASET" in baseline(tmp_path, "--classes", "merger").output
