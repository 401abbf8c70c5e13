import shutil

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.catalogs.folds import assign_split
from photoz_morph.metrics.classification import predicted_class
from photoz_morph.mocks.depths import depth_folder
from photoz_morph.morph.predict import predict_morph_run
from photoz_morph.morph.robustness.depth import depth_run, mock_test_galaxies
from photoz_morph.shards.mocks import mock_shard_path, write_mock_shard
from tests.support.samples import MOCK_HEADER, shape_mocks


@pytest.fixture(scope="module")
def run_dir(morph_run_dirs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("depth") / "regular"
    shutil.copytree(morph_run_dirs["regular"], folder)
    return folder


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    """The test galaxies of the dataset as they are in it after one year and ten, and with much more noise."""
    folder = tmp_path_factory.mktemp("depths")
    for index in range(2):
        images, table = shape_mocks(150, first_id=150 * index)
        rows = np.flatnonzero(assign_split(table["group_id"]) == "test")
        noise = np.random.default_rng(index).normal(0, 3000, images[1][rows].shape)
        for years, stamps in ((10, images[10]), (1, images[1]), (0.5, None)):
            path = mock_shard_path(depth_folder(folder, years), index)
            path.parent.mkdir(exist_ok=True)
            stamps = images[1][rows] + noise if stamps is None else stamps[rows]
            write_mock_shard(path, {years: stamps.astype(np.float32)}, Table(table[rows]), MOCK_HEADER)
    return folder


@pytest.fixture(scope="module")
def result(run_dir, mocks):
    return depth_run(run_dir, mocks, (10, 1), progress=False)


def test_accuracy_of_one_and_ten_years_is_that_of_the_predictions(run_dir, result):
    table = predict_morph_run(run_dir, progress=False)
    for years in ("1", "10"):
        right = predicted_class(table[f"probability_y{years}"]) == np.asarray(table["label"])[:, None]
        assert result["years"][years]["seeds"] == pytest.approx(right.mean(axis=0).tolist())
    assert sorted(result["galaxies"]["obj_id"]) == sorted(table["obj_id"].tolist())


def test_a_further_depth_is_added_and_finished_ones_are_not_classified_again(run_dir, mocks, result, monkeypatch):
    found = depth_run(run_dir, mocks, (0.5, 1, 10), progress=False)
    assert list(found["years"]) == ["0.5", "1", "10"] and found["years"]["1"] == result["years"]["1"]
    assert len(found["years"]["0.5"]["n_right"]) == len(found["galaxies"]["label"])

    def fail(*_):
        raise AssertionError("classified again")

    monkeypatch.setattr("photoz_morph.morph.robustness.depth.load_classifiers", fail)
    assert depth_run(run_dir, mocks, (0.5, 1, 10), progress=False) == found


def test_results_of_other_settings_and_missing_depths_are_refused(run_dir, mocks, result):
    with pytest.raises(ValueError, match="depth.json: made with another seed; give the same, or --overwrite"):
        depth_run(run_dir, mocks, (10,), seed=3, progress=False)
    with pytest.raises(FileNotFoundError, match="Y5: no mocks"):
        depth_run(run_dir, mocks, (5,), progress=False)


def test_missing_scenes_are_named_with_the_option(run_dir, tmp_path):
    with pytest.raises(FileNotFoundError, match="--scenes"):
        mock_test_galaxies(run_dir, (1,), progress=False)
    with pytest.raises(FileNotFoundError, match="no scenes-"):
        mock_test_galaxies(run_dir, (1,), tmp_path, tmp_path / "out", progress=False)
