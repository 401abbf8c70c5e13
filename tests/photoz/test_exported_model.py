import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from astropy.table import Table

from photoz_morph.config import load_config
from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import PhotozExperiment
from photoz_morph.photoz.export import OUTPUTS, export
from photoz_morph.photoz.exported_model import infer_shards, infer_stacks, load_exported_model
from photoz_morph.photoz.predict import predict_run
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from photoz_morph.training.ensemble import train_ensemble
from tests.support.exports import onnx_answers
from tests.support.samples import PSF_MATCHED, TINY, colour_stacks


@pytest.fixture(scope="module")
def model(exported):
    """Loaded once, which takes longer than what each test asks of it."""
    return load_exported_model(exported)


def test_exported_model_agrees_with_predict(predictions, model, data_dir):
    rows = predictions[predictions["fold"] == 0]
    batch = next(dataset.image_batches(reading.open_dataset(data_dir), "fold_0", 1000).as_numpy_iterator())
    result = model.predict(batch["image"], batch["ebv"])
    for name in ("pdf", "z_phot", "z_median", "z_mode", "z_lower", "z_upper"):
        np.testing.assert_allclose(result[name], rows[name], atol=1e-5)


def test_wrong_stacks_are_refused(model):
    images, table = colour_stacks(3)
    with pytest.raises(ValueError, match=r"shape \(3, 32, 32, 5\) .* takes \(n, 64, 64, 5\) in bands u,g,r,i,z"):
        model.predict(images[:, 16:48, 16:48], table["ebv"])
    with pytest.raises(ValueError, match=r"stacks of shape \(3, 64, 64, 3\)"):
        model.predict(images[..., :3], table["ebv"])
    images[1, 3, 3, 4] = np.nan
    with pytest.raises(ValueError, match="galaxy 1 has 1 pixels in band z that are not finite"):
        model.predict(images, table["ebv"])


def test_flagged_rows_keep_their_place_without_a_pdf(model, tmp_path):
    for index in range(2):
        images, table = colour_stacks(4, first_id=4 * index)
        images[2], table["flag"][2] = np.nan, 1
        write_shard(shard_path(tmp_path, index), images, table, SDSS, "stacked")
    result = infer_shards(model, tmp_path, progress=False)
    assert list(result["obj_id"]) == list(range(8)) and result.meta["origin"] == "stacked"
    assert list(np.flatnonzero(result["flag"])) == [2, 6]
    assert np.isnan(result["z_phot"][[2, 6]]).all() and np.isfinite(result["z_phot"][[0, 1, 3, 4, 5, 7]]).all()


def test_an_export_of_another_instrument_is_refused(exported, tmp_path):
    other = shutil.copytree(exported, tmp_path / "other")
    description = json.loads((other / "estimator.json").read_text())
    (other / "estimator.json").write_text(json.dumps({**description, "pixel_scale_arcsec": 0.2}))
    with pytest.raises(ValueError, match="was exported for .*0.2"):
        load_exported_model(other)


def test_reddening_of_another_shape_or_not_finite_is_refused(model):
    images, _ = colour_stacks(3)
    with pytest.raises(ValueError, match=r"with E\(B-V\) of shape \(2,\)"):
        model.predict(images, [0.1, 0.1])
    with pytest.raises(ValueError, match=r"mine: E\(B-V\) of row 2 is not finite; give it a value"):
        model.predict(images, [0.1, 0.1, np.nan], "mine")


def test_a_pdf_of_nan_of_an_older_export_has_no_mode(model, monkeypatch):
    """Before outputs were guarded, argmax of NaN was the first bin."""
    older = {name: tf.constant([0.1, 0.00111]) for name in OUTPUTS}
    older["pdf"] = tf.constant([[1 / 180] * 180, [np.nan] * 180], tf.float32)
    monkeypatch.setattr(model, "_model", SimpleNamespace(serve=lambda image, ebv: older))
    found = model.predict(np.zeros((2, 64, 64, 5)), np.zeros(2))
    for name, values in found.items():
        assert np.isfinite(values[0]).all() and np.isnan(values[1]).all(), name


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="not an exported model .*photoz export"):
        load_exported_model(tmp_path)


def test_shards_of_both_origins_in_one_folder_are_refused(model, tmp_path):
    for index, origin in enumerate(("simulated", "stacked")):
        images, table = colour_stacks(2, first_id=2 * index)
        write_shard(shard_path(tmp_path, index), images, table, SDSS, origin)
    with pytest.raises(ValueError, match="simulated and stacked shards in one folder; keep them apart"):
        infer_shards(model, tmp_path, progress=False)


def test_stacks_in_parts_are_predicted_as_the_whole(model):
    images, table = colour_stacks(6)
    whole = infer_stacks(model, [(images, table)], "simulated")
    parts = infer_stacks(model, [(images[:2], table[:2]), (images[2:], table[2:])], "simulated")
    assert list(parts["obj_id"]) == list(whole["obj_id"]) and parts.meta == whole.meta
    np.testing.assert_allclose(parts["pdf"], whole["pdf"], atol=1e-6)


@pytest.fixture(scope="module")
def told(data_dir, tmp_path_factory):
    """A run of a network that is told seeing and number of frames, its predictions of fold 0, and its export."""
    folder = tmp_path_factory.mktemp("told")
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, *PSF_MATCHED, "train.epochs=1"])
    train_ensemble(PhotozExperiment, config, folder / "run", data_dir, 1, 1, "mirrored", progress=False)
    export(folder / "run", folder / "export", with_onnx=True)
    return predict_run(folder / "run", progress=False), load_exported_model(folder / "export"), folder / "export"


def inputs_of_fold_0(data_dir, n):
    builder = reading.open_dataset(data_dir)
    batches = dataset.image_batches(builder, "fold_0", n, observing=("psf_fwhm", "n_frames"))
    return next(batches.as_numpy_iterator())


def test_an_export_that_is_told_conditions_answers_as_its_run(told, data_dir):
    predictions, model, _ = told
    batch = inputs_of_fold_0(data_dir, 9)
    conditions = {name: batch[name] for name in model.observing}
    assert model.observing == ("psf_fwhm", "n_frames") and np.isnan(batch["psf_fwhm"]).all()
    answer = model.predict(batch["image"], batch["ebv"], conditions=conditions)
    np.testing.assert_allclose(answer["z_phot"], predictions["z_phot"][:9], atol=1e-5)
    other = model.predict(batch["image"], batch["ebv"], conditions={**conditions, "n_frames": np.full((9, 5), 50)})
    assert np.abs(other["z_phot"] - answer["z_phot"]).max() > 1e-5


def test_unknown_conditions_may_be_nan_zero_or_left_out(told, data_dir):
    _, model, folder = told
    batch = inputs_of_fold_0(data_dir, 9)
    expected = model.predict(batch["image"], batch["ebv"])
    zero = {name: np.zeros((9, 5), np.float32) for name in model.observing}
    for name, values in model.predict(batch["image"], batch["ebv"], conditions=zero).items():
        np.testing.assert_array_equal(values, expected[name])
    answers = onnx_answers(folder / "model.onnx", {**batch, **zero})
    np.testing.assert_allclose(answers["pdf"], expected["pdf"], atol=1e-5)


def test_conditions_are_read_from_the_columns_of_a_catalogue(told, data_dir):
    _, model, _ = told
    batch = inputs_of_fold_0(data_dir, 9)
    table = Table({"obj_id": np.arange(9), "flag": np.zeros(9, np.int16), "ebv": batch["ebv"]})
    plain = model.predictions(batch["image"], table, "simulated")
    for band, count in zip("ugriz", batch["n_frames"].T):
        table[f"n_frames_{band}"] = count
    answer = model.predict(batch["image"], batch["ebv"], conditions={"n_frames": batch["n_frames"]})
    found = model.predictions(batch["image"], table, "simulated")
    np.testing.assert_allclose(found["z_phot"], answer["z_phot"], atol=1e-6)
    assert np.abs(found["z_phot"] - plain["z_phot"]).max() > 1e-6
