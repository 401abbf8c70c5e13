import json

import numpy as np
import pytest

from photoz_morph.morph.evaluation.scores import SCORE_KEYS
from photoz_morph.runs.scores import read_scores, write_scores

MORPH = {"data": "simulated", "origin": "tng", "domains": {"Y10": {"accuracy": 0.9}}}


def test_scores_come_back_to_the_last_digit(tmp_path):
    scores = {**MORPH, "bias": {"value": 0.1 + 0.2, "error": 1e-17}, "folds": [1, 2]}
    write_scores(scores, tmp_path / "scores.json")
    assert read_scores(tmp_path / "scores.json") == read_scores(tmp_path / "scores.json", "morph", SCORE_KEYS) == scores


def test_a_score_that_json_cannot_hold_leaves_the_old_file(tmp_path):
    path = tmp_path / "scores.json"
    write_scores(MORPH, path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_scores({"data": np.nan}, path)
    assert json.loads(path.read_text()) == MORPH and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "task, required, content, expected",
    [
        ("photoz", ("data",), '{"data": ', "not a file of scores, or truncated .*; evaluate again"),
        ("photoz", ("data",), "[1, 2]", "not a file of photoz scores, it lacks data; evaluate again"),
        ("morph", SCORE_KEYS, '{"data": "real"}', "not a file of morph scores, it lacks origin, domains; evaluate "),
    ],
)
def test_other_files_are_refused(tmp_path, task, required, content, expected):
    (tmp_path / "scores.json").write_text(content)
    with pytest.raises(ValueError, match=f"scores.json: {expected}"):
        read_scores(tmp_path / "scores.json", task, required)


@pytest.mark.parametrize("task", ["photoz", "morph"])
def test_missing_scores_name_the_command_that_writes_them(tmp_path, task):
    with pytest.raises(FileNotFoundError, match=f"absent.json: no such file; `{task} evaluate` writes it"):
        read_scores(tmp_path / "absent.json", task)
