import shutil

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.calibration.files import read_calibration
from photoz_morph.photoz.calibration.label_shift import estimated_target
from photoz_morph.photoz.calibration.redshift_distribution import (
    read_target,
    reweighted,
    target_weights,
    training_counts,
)
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predict import known_first, load_ensemble, predict_run
from photoz_morph.photoz.splits import cross_validation_splits
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.runs.folder import finished_members

GRID = RedshiftGrid()


def test_each_test_galaxy_is_predicted_once_by_the_members_of_its_fold(predictions, data_dir, run_dir):
    builder = reading.open_dataset(data_dir)
    for fold in (0, 1):
        rows = predictions[predictions["fold"] == fold]
        assert list(rows["obj_id"]) == list(reading.read_columns(builder, f"fold_{fold}")["obj_id"])
    members = [load_ensemble([path]) for path in finished_members(run_dir, PhotozConfig)[1]]
    batch = next(iter(dataset.image_batches(builder, "fold_1", 1000)))
    mean = np.mean([member(batch) for member in members], axis=0)
    np.testing.assert_allclose(predictions["pdf"][predictions["fold"] == 1], mean, atol=1e-6)


def test_mean_of_the_members_z_phot_is_z_phot_of_the_mean_pdf(predictions, data_dir, run_dir):
    batch = next(iter(dataset.image_batches(reading.open_dataset(data_dir), "fold_0", 1000)))
    z_phot = [GRID.expectation(load_ensemble([path])(batch)) for path in finished_members(run_dir, PhotozConfig)[0]]
    np.testing.assert_allclose(predictions["z_phot"][predictions["fold"] == 0], np.mean(z_phot, axis=0), atol=1e-6)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="photoz train"):
        predict_run(tmp_path)


def test_columns_have_one_order_whatever_that_of_the_dataset():
    names = ["sky_sigma", "z_spec", "is_early", "obj_id", "bulge_to_total"]
    assert known_first(names) == known_first(names[::-1])
    assert known_first(names) == ["obj_id", "z_spec", "bulge_to_total", "is_early", "sky_sigma"]


@pytest.fixture(scope="module")
def of_target(run_dir, target_dir):
    """Predictions of another dataset, whose galaxies have no redshift."""
    return predict_run(run_dir, progress=False, target=target_dir)


def test_galaxies_of_another_dataset_are_predicted_by_the_members_of_their_fold(of_target, run_dir, target_dir):
    builder = reading.open_dataset(target_dir)
    for fold in (0, 1):
        rows = of_target[of_target["fold"] == fold]
        assert list(rows["obj_id"]) == list(reading.read_columns(builder, f"fold_{fold}")["obj_id"])
    members = [load_ensemble([path]) for path in finished_members(run_dir, PhotozConfig)[1]]
    batch = next(iter(dataset.image_batches(builder, "fold_1", 1000)))
    mean = np.mean([member(batch) for member in members], axis=0)
    np.testing.assert_allclose(of_target["pdf"][of_target["fold"] == 1], mean, atol=1e-6)
    assert np.isnan(of_target["z_spec"]).all() and np.isnan(of_target["pit_member"]).all()
    assert of_target.meta["targ_id"] == reading.content_hash(builder) != of_target.meta["data_id"]


def write_nz(path):
    Table({"z": [0.0, 0.2, 0.4], "nz": [0.2, 1.0, 3.0]}).write(path, overwrite=True)
    return path


def test_pdfs_are_reweighted_to_a_table_or_to_the_n_of_z_that_they_imply(
    of_target, run_dir, target_dir, data_dir, tmp_path
):
    path, builder, counts, pdfs = write_nz(tmp_path / "nz.csv"), reading.open_dataset(data_dir), [], []
    for fold in (0, 1):
        split = cross_validation_splits(builder, fold, 20).train
        counts.append(training_counts(reading.read_columns(builder, split)["z_spec"], GRID))
        pdfs.append(np.asarray(of_target["pdf"][of_target["fold"] == fold]))
    for name, nz in ((str(path), read_target(path, GRID)), ("em", estimated_target(pdfs, counts, GRID))):
        found = predict_run(run_dir, progress=False, target=target_dir, target_nz=name)
        assert found.meta["targ_nz"] == ("em" if name == "em" else "nz.csv")
        for fold in (0, 1):
            expected = reweighted(pdfs[fold], target_weights(nz, counts[fold], GRID))
            np.testing.assert_allclose(found["pdf"][found["fold"] == fold], expected, atol=1e-5)


def test_intervals_of_calibrated_pdfs_are_those_of_the_target(calibrated_run, tmp_path):
    """The same as an export that is re-weighted to it."""
    path = write_nz(tmp_path / "nz.csv")
    plain = predict_run(calibrated_run, progress=False)
    found = predict_run(calibrated_run, progress=False, target_nz=str(path))
    assert plain.colnames == found.colnames and found.meta["calib_id"] == plain.meta["calib_id"]
    members = finished_members(calibrated_run, PhotozConfig)
    calibration = read_calibration(calibrated_run, 1, members[1], GRID)
    weights = target_weights(read_target(path, GRID), calibration.training_counts, GRID)
    rows = found["fold"] == 1
    pdf = reweighted(np.asarray(plain["pdf"][rows]), weights)
    np.testing.assert_allclose(found["pdf"][rows], pdf, atol=1e-5)
    bounds = calibration.of_target(weights, GRID).bounds(pdf, GRID)
    np.testing.assert_allclose(found["z_lower_90"][rows], bounds["z_lower_90"], atol=1e-4)
    np.testing.assert_array_equal(found["ood_score"], plain["ood_score"])
    np.testing.assert_array_equal(found["pit_uncalibrated"], plain["pit_uncalibrated"])


def test_the_command_writes_a_target_beside_the_predictions_of_the_run(run_dir, target_dir, tmp_path):
    run = shutil.copytree(run_dir, tmp_path / "run")
    result = CliRunner().invoke(main, ["predict", str(run), "--target", str(target_dir), "--target-nz", "em"])
    assert result.exit_code == 0 and "Next: photoz evaluate" in result.output, result.output
    assert (run / "target_predictions.fits").exists() and not (run / "predictions.fits").exists()
    refusals = (["--target", "nowhere"], "no prepared dataset"), (["--target-nz", "no.csv"], "no.csv: no")
    for options, message in refusals:
        refused = CliRunner().invoke(main, ["predict", str(run), *options])
        assert refused.exit_code == 1 and message in refused.output and refused.output.count("\n") == 1
