import json

import numpy as np
import pytest

from photoz_morph.blend.baselines.detection import SepSettings
from photoz_morph.blend.baselines.of_dataset import predict_sep, update_sep
from photoz_morph.blend.dataset import open_dataset, read_scenes
from photoz_morph.blend.evaluation import evaluate_blend
from photoz_morph.shards.blends import DISK, SPHEROID

METRIC = "source_iou"


@pytest.fixture(scope="module")
def builder(blend_data_dir):
    return open_dataset(blend_data_dir)


def tuned(builder, folder, **options):
    options = {"n_trials": 1, "n_tuned_on": 3, "n_processes": 1, "progress": False} | options
    return update_sep(builder, folder, (METRIC,), **options)[METRIC]


def test_sources_of_the_test_images_are_found_classified_and_measured(builder):
    predictions = predict_sep(builder, SepSettings(), progress=False)
    scenes = list(read_scenes(builder, "test"))
    assert [scene.obj_id for scene in scenes] == predictions.images["obj_id"].tolist()
    assert predictions.table.meta["dataset"] == "lsst_pairs" and predictions.table.meta["model"] == "sep"
    assert set(predictions.table["kind"]) <= {SPHEROID, DISK}  # of pairs
    for scene, table, segmentation in zip(scenes, predictions.of_images(), predictions.segmentation):
        rows, columns = np.rint(table["y"]).astype(int), np.rint(table["x"]).astype(int)
        np.testing.assert_array_equal(segmentation[rows, columns] > 0, True)
        np.testing.assert_array_equal(np.bincount(segmentation.ravel(), minlength=len(table) + 1)[1:],
                                      table["n_visible"])  # fmt: skip
        # All light together is that of the pair, but for wings and noise.
        total = np.sum(scene.truth["flux_in_image"][:, 1])
        assert table["flux"][:, 1].sum() == pytest.approx(total, rel=0.5)
    scores = evaluate_blend(predictions, scenes, n_bootstrap=20)
    assert 0.3 < scores["every_detection"]["completeness"]["value"] <= 1


def test_a_file_of_the_same_parameters_is_kept_and_any_other_made_anew(builder, tmp_path):
    first = tuned(builder, tmp_path)
    settings = json.loads(first.table.meta["settings"])
    assert SepSettings(**settings) != SepSettings() and 0 < first.table.meta["tuned"] <= 1
    path = tmp_path / f"{METRIC}.fits"
    path.touch()
    time = path.stat().st_mtime_ns
    again = tuned(builder, tmp_path)
    assert path.stat().st_mtime_ns == time
    np.testing.assert_array_equal(again.segmentation, first.segmentation)
    np.testing.assert_array_equal(again.table["probability"], first.table["probability"])
    assert tuned(builder, tmp_path, seed=5).table.meta["seed"] == 5 and path.stat().st_mtime_ns > time
    path.write_bytes(path.read_bytes()[:30_000])
    assert tuned(builder, tmp_path, seed=5).table.meta["seed"] == 5


def test_numbers_out_of_range_are_refused(builder, tmp_path):
    with pytest.raises(ValueError, match="n_trials is -1, n_tuned_on 3"):
        tuned(builder, tmp_path, n_trials=-1)
    with pytest.raises(ValueError, match="n_processes is 0"):
        tuned(builder, tmp_path, n_processes=0)
