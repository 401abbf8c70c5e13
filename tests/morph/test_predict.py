import shutil

import numpy as np
import pytest

from photoz_morph.datasets import reading
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier
from photoz_morph.morph import dataset
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.predict import predict_morph_run
from photoz_morph.morph.predictions import read_morph_predictions, write_morph_predictions
from photoz_morph.runs.folder import finished_members
from photoz_morph.shards.mocks import mock_shard_path, write_mock_shard
from tests.support.samples import MOCK_HEADER, shape_mocks
from tfds_builders.tng_lsst_mocks import build


def test_predictions_are_those_of_the_saved_networks(morph_data_dir, morph_run_dirs):
    table = predict_morph_run(morph_run_dirs["mmd"], progress=False)
    builder = dataset.open_dataset(morph_data_dir)
    assert list(table["obj_id"]) == list(reading.read_columns(builder, "test")["obj_id"])
    images = np.concatenate(list(dataset.domain_images(builder, "test", "y1", 64).as_numpy_iterator()))
    for seed, path in enumerate(finished_members(morph_run_dirs["mmd"], MorphConfig)[0]):
        outputs = load_network(path)({"image": images})
        logits = np.array(outputs["logits"], np.float64)
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(table["probability_y1"][:, seed], expected, atol=1e-5)
        if seed == 0:
            np.testing.assert_allclose(table["latent_y1"], outputs["latent"], atol=1e-4)


def test_predictions_of_mocks_with_other_settings_are_refused(morph_run_dirs, tmp_path):
    header = [("BINNING", "sum", "") if card[0] == "BINNING" else card for card in MOCK_HEADER]
    for index in range(2):
        images, table = shape_mocks(150, first_id=150 * index)
        write_mock_shard(mock_shard_path(tmp_path, index), images, table, header)
    build(tmp_path, tmp_path / "data", progress=False)
    with pytest.raises(ValueError, match="mocks .*'binning': 'sum'.* the run was trained with .*'sample'"):
        predict_morph_run(morph_run_dirs["mmd"], tmp_path / "data", progress=False)


def test_passes_with_dropout_scatter_about_the_prediction_without(morph_run_dirs, tmp_path):
    plain = predict_morph_run(morph_run_dirs["mmd"], progress=False)
    dropped = predict_morph_run(morph_run_dirs["mmd"], progress=False, mc_dropout=8)
    assert dropped.meta["mc_dropout"] == 8 and "mc_dropout" not in plain.meta
    for suffix in ("y10", "y1"):
        difference = np.abs(dropped[f"probability_{suffix}"] - plain[f"probability_{suffix}"])
        assert 1e-5 < difference.max() < 0.5
        information = np.asarray(dropped[f"mutual_information_{suffix}"])
        assert information.shape == (len(plain), 2) and information.mean() > 0
        assert np.all(information > -1e-12) and np.all(information < np.log(3))  # Jensen; a class holds no more
    write_morph_predictions(dropped, tmp_path / "dropped.fits")
    back = read_morph_predictions(tmp_path / "dropped.fits")
    assert back.meta["mc_dropout"] == 8 and evaluate_morph(back, 20)["mc_dropout"] == 8


def test_runs_without_dropout_are_refused_by_name(morph_run_dirs, tmp_path):
    run = tmp_path / "plain"
    shutil.copytree(morph_run_dirs["mmd"], run)
    for path in finished_members(run, MorphConfig)[0]:
        build_classifier("convnet", (100, 100, 3), width=2, n_latent=4).save(path)
    with pytest.raises(ValueError, match="plain: convnet has no dropout"):
        predict_morph_run(run, progress=False, mc_dropout=2)
