"""The command `morph evaluate` on tables of predictions."""

import json

import pytest
from click.testing import CliRunner

from photoz_morph.cli.morph import main
from photoz_morph.morph.evaluation.comparison import compare_morph
from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.predictions import write_morph_predictions
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
