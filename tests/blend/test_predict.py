import numpy as np
import pytest

from photoz_morph.blend import dataset
from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.deblended import LEVELS
from photoz_morph.blend.predict import in_batches, predict_sources
from photoz_morph.blend.predict_galaxies import Deblender, predict_galaxies
from photoz_morph.blend.predictions import read_blend_predictions, write_blend_predictions
from photoz_morph.models.loading import load_members
from photoz_morph.runs.folder import finished_members


@pytest.mark.parametrize("network", ["unet", "mask_rcnn", "grid_detector"])
def test_predictions_are_of_all_test_images_by_all_networks(network, blend_run_dirs, blend_data_dir, tmp_path):
    found = predict_sources(blend_run_dirs[network], progress=False)
    scenes = list(dataset.read_scenes(dataset.open_dataset(blend_data_dir), "test"))
    assert list(found.images["obj_id"]) == [scene.obj_id for scene in scenes]
    assert found.segmentation.shape == (len(scenes), 48, 48)
    meta = found.table.meta
    assert (meta["model"], meta["dataset"], meta["networks"], meta["split"]) == (network, "lsst_pairs", 2, "test")
    for table, segmentation in zip(found.of_images(), found.segmentation):
        assert np.all(np.diff(table["score"]) <= 0)
        counts = np.bincount(segmentation.ravel(), minlength=len(table) + 1)[1:]
        np.testing.assert_array_equal(table["n_visible"], counts)
    write_blend_predictions(found, tmp_path / "predictions.fits")
    back = read_blend_predictions(tmp_path / "predictions.fits")
    np.testing.assert_array_equal(back.table["box"], found.table["box"])


def test_predictions_do_not_depend_on_the_batch(blend_run_dirs, blend_data_dir, monkeypatch):
    found = predict_sources(blend_run_dirs["unet"], split="validation", progress=False)
    monkeypatch.setattr("photoz_morph.blend.predict.BATCH_SIZE", 3)
    other = predict_sources(blend_run_dirs["unet"], split="validation", progress=False)
    np.testing.assert_array_equal(found.images["n_detections"], other.images["n_detections"])
    np.testing.assert_allclose(found.table["score"], other.table["score"], rtol=1e-4)


def test_galaxies_are_the_mean_of_the_networks_and_samples_are_of_all(blend_run_dirs, blend_data_dir):
    table = predict_galaxies(blend_run_dirs["probabilistic_unet"], n_samples=40, progress=False)
    scenes = list(dataset.read_scenes(dataset.open_dataset(blend_data_dir), "test", with_source_images=True))
    assert list(table["obj_id"]) == [scene.obj_id for scene in scenes]
    assert table["flux_samples"].shape == (len(scenes), 40, 3) and table["pixel_coverage"].shape[1:] == (len(LEVELS), 2)
    paths = finished_members(blend_run_dirs["probabilistic_unet"], BlendConfig)[0]
    images = np.stack([scene.image for scene in scenes])
    expected = np.mean([network({"image": images})["image"] for network in load_members(paths)], axis=0)
    np.testing.assert_allclose(table["flux"], expected.sum(axis=(1, 2)), rtol=1e-3, atol=1.0)
    for row, scene in zip(table, scenes):
        (middle,) = np.flatnonzero(np.hypot(scene.truth["y"] - row["y"], scene.truth["x"] - row["x"]) == 0)
        np.testing.assert_allclose(row["true_flux"], scene.source_images[middle].sum(axis=(0, 1)), rtol=1e-5)
    assert len(np.unique(table["flux_samples"])) == table["flux_samples"].size


def test_samples_are_of_the_image_alone(blend_run_dirs, blend_data_dir):
    paths = finished_members(blend_run_dirs["probabilistic_unet"], BlendConfig)[0]
    scenes = list(dataset.read_scenes(dataset.open_dataset(blend_data_dir), "test[:4]"))
    images, ids = np.stack([scene.image for scene in scenes]), [scene.obj_id for scene in scenes]
    deblend = Deblender(load_members(paths), 6)
    whole, alone = deblend(images, ids)[1], deblend(images[2:3], ids[2:3])[1]
    np.testing.assert_allclose(alone[0], whole[2], rtol=1e-3, atol=1e-2)


def test_a_plain_unet_has_no_samples(blend_run_dirs):
    table = predict_galaxies(blend_run_dirs["unet_image"], progress=False)
    assert "flux_samples" not in table.colnames and np.isfinite(table["flux"]).all()


def test_batches_hold_all_items():
    assert list(in_batches(range(5), 2)) == [[0, 1], [2, 3], [4]] and list(in_batches([], 2)) == []
