import ast
from dataclasses import replace

import pytest

from photoz_morph.cli.morph.options import defence_option
from photoz_morph.models.layers import defences
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.report.results import MorphResults
from photoz_morph.morph.report.tables.attacks import DEFENCES
from tests.support.morph import toy_predictions
from tests.support.paths import ROOT
from tests.support.reports import scored_run


@pytest.fixture(scope="module")
def results():
    table = toy_predictions(n=60)
    return MorphResults([scored_run("regular", table), scored_run("MMD", table)], "simulated")


def test_scores_are_those_of_the_runs(results):
    assert list(results.scores) == ["regular", "MMD"] and results.scores["MMD"] is results.runs[1]["scores"]
    assert (results.data, results.is_real) == ("simulated galaxies", False)
    assert replace(results, origin="observed").data == "real galaxies"


def test_runs_of_one_dataset_belong_together(results):
    results.check()


@pytest.mark.parametrize("names, words", [
    ([], "1 to 3 runs of different names, got none"), (["a", "a"], "different names, got a, a"),
    (["a", "b", "c", "d"], "1 to 3 runs of different names, got a, b, c, d"),
])  # fmt: skip
def test_one_to_three_runs_of_different_names_are_reported(results, names, words):
    runs = [{**results.runs[0], "name": name} for name in names]
    with pytest.raises(ValueError, match=words):
        replace(results, runs=runs).check()


def test_further_run_with_the_name_of_a_run_is_refused(results):
    with pytest.raises(ValueError, match="two runs of a report are named MMD; rename the folder of one"):
        replace(results, others=[results.runs[1]]).check()


@pytest.mark.parametrize("key, value", [("n_galaxies", 7), ("n_groups", 7), ("classes", ["merger"])])
def test_further_run_of_other_galaxies_is_refused(results, key, value):
    other = {**results.runs[1], "name": "other", "scores": {**results.runs[1]["scores"], key: value}}
    with pytest.raises(ValueError, match=f"other: {key} is .*, that of regular is .*; report runs of one dataset"):
        replace(results, others=[other]).check()


def test_run_of_another_origin_is_refused(results):
    with pytest.raises(ValueError, match="regular: origin is simulated, not tng"):
        replace(results, origin="tng").check()


def test_lists_of_test_time_defences_agree():
    names = MorphConfig.CHOICES["defence.test_time"]
    option = defence_option(lambda: None).__click_params__[0]
    assert tuple(DEFENCES) == tuple(option.type.choices) == tuple(defences.DEFENCES) == names


@pytest.mark.parametrize("chain", ["photoz", "morph"])
def test_report_imports_no_networks(chain):
    for path in (ROOT / "photoz_morph" / chain / "report").rglob("*.py"):
        modules = [node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        assert not [name for name in modules if name.startswith("photoz_morph.models")], path
