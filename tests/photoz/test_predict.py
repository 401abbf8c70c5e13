
import numpy as np
import pytest

from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predict import known_first, load_ensemble, predict_run
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
