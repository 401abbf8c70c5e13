import pytest

from photoz_morph.morph.report.tables.calibration import HEADER, calibration_markdown, calibration_rows
from photoz_morph.morph.selection.calibration import calibrate_run
from tests.support.morph import toy_answers, toy_predictions


@pytest.fixture(scope="module")
def calibration():
    return calibrate_run(toy_answers(n=300), toy_predictions(n=300, n_seeds=2, seed=4), n_bootstrap=20)


def test_rows_are_of_single_networks_and_of_the_ensemble_at_each_temperature(calibration):
    rows = calibration_rows("regular", calibration)
    assert len(rows) == 2 * (2 + 5) and all(len(row) == len(HEADER) for row in rows)
    assert [row[1] for row in rows if row[1]] == ["Y10", "Y1"]
    assert [row[4] for row in rows[:2]] == ["single networks", "ensemble"] and rows[0][3] == "1"
    source = calibration["temperatures"]["source"]
    assert rows[2][3] == f"{min(source['seeds']):.2f} to {max(source['seeds']):.2f}"
    assert rows[3][3] == f"{source['ensemble']:.2f}"
    score = calibration["domains"]["Y1"]["oracle"]["ensemble"]["ece"]
    assert rows[-1][5] == f"{score['value']:.3f} ± {score['error']:.3f}"


def test_the_table_says_which_temperature_uses_labels_of_the_target(calibration):
    text = calibration_markdown("regular", calibration)
    assert "temperature of Y1, uses its labels" in text and "simulated galaxies" in text


def test_a_single_network_has_no_ensemble():
    calibration = calibrate_run(toy_answers(n=300, n_seeds=1), toy_predictions(n=300, n_seeds=1), n_bootstrap=20)
    rows = calibration_rows("regular", calibration)
    assert {row[4] for row in rows} == {"single networks"} and "to" not in rows[1][3]
