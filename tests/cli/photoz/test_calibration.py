"""The command `photoz calibrate`, and the options of others that go with it."""

import os

import pytest

from photoz_morph.cli.runs import is_stale
from photoz_morph.photoz.predictions import predictions_table, rehearse_predictions
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS
from tests.support.broken_input import run_command


def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path):
    result, _ = run_command(["calibrate", tmp_path])
    assert result.exit_code == 1 and "not a run folder" in result.stderr and "\n" not in result.stderr.strip()


def test_a_target_nz_of_uncalibrated_pdfs_is_refused(tmp_path):
    result, _ = run_command(["export", tmp_path, "--uncalibrated", "--target-nz", "nz.csv"])
    assert result.exit_code == 2 and "--target-nz is of calibrated PDFs; leave out --uncalibrated" in result.stderr


def test_predictions_older_than_a_calibration_are_stale(tmp_path):
    network = tmp_path / "fold_0/member_0/model.keras"
    network.parent.mkdir(parents=True)
    network.write_text("")
    predictions = tmp_path / "predictions.fits"
    predictions.write_text("")
    assert not is_stale(predictions, {0: [network]})
    (tmp_path / "fold_0/calibration.json").write_text("{}")
    predictions.touch()
    assert not is_stale(predictions, {0: [network]})
    os.utime(predictions, (1, 1))
    os.utime(network, (0, 0))
    assert is_stale(predictions, {0: [network]})


def test_a_catalogue_column_of_the_name_of_a_calibrated_one_is_refused_only_where_it_would_be_overwritten(tmp_path):
    columns = {"obj_id": [1, 2], "Quality": [3, 4]}
    rehearse_predictions(columns, tmp_path / "p.fits")
    with pytest.raises(ValueError, match="column Quality would be overwritten by the predictions; rename it"):
        rehearse_predictions(columns, tmp_path / "p.fits", calibrated=["ood_score", "quality"])
    grid = RedshiftGrid(n_bins=1)
    table = predictions_table(columns, [[1.0], [1.0]], grid, SDSS, "catalogue")
    assert list(table["Quality"]) == [3, 4]
