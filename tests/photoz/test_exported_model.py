import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.export import OUTPUTS
from photoz_morph.photoz.exported_model import infer_shards, infer_stacks, load_exported_model
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from tests.support.samples import colour_stacks


def test_exported_model_agrees_with_predict(predictions, exported, data_dir):
    rows = predictions[predictions["fold"] == 0]
    batch = next(dataset.image_batches(reading.open_dataset(data_dir), "fold_0", 1000).as_numpy_iterator())
    result = load_exported_model(exported).predict(batch["image"], batch["ebv"])
    for name in ("pdf", "z_phot", "z_median", "z_mode", "z_lower", "z_upper"):
        np.testing.assert_allclose(result[name], rows[name], atol=1e-5)


def test_wrong_stacks_are_refused(exported):
    model = load_exported_model(exported)
    images, table = colour_stacks(3)
    with pytest.raises(ValueError, match=r"shape \(3, 32, 32, 5\) .* takes \(n, 64, 64, 5\) in bands u,g,r,i,z"):
        model.predict(images[:, 16:48, 16:48], table["ebv"])
    with pytest.raises(ValueError, match=r"stacks of shape \(3, 64, 64, 3\)"):
        model.predict(images[..., :3], table["ebv"])
    images[1, 3, 3, 4] = np.nan
    with pytest.raises(ValueError, match="galaxy 1 has 1 pixels in band z that are not finite"):
        model.predict(images, table["ebv"])


def test_flagged_rows_keep_their_place_without_a_pdf(exported, tmp_path):
    for index in range(2):
        images, table = colour_stacks(4, first_id=4 * index)
        images[2], table["flag"][2] = np.nan, 1
        write_shard(shard_path(tmp_path, index), images, table, SDSS, "stacked")
    result = infer_shards(load_exported_model(exported), tmp_path, progress=False)
    assert list(result["obj_id"]) == list(range(8)) and result.meta["origin"] == "stacked"
    assert list(np.flatnonzero(result["flag"])) == [2, 6]
    assert np.isnan(result["z_phot"][[2, 6]]).all() and np.isfinite(result["z_phot"][[0, 1, 3, 4, 5, 7]]).all()


def test_an_export_of_another_instrument_is_refused(exported, tmp_path):
    other = shutil.copytree(exported, tmp_path / "other")
    description = json.loads((other / "estimator.json").read_text())
    (other / "estimator.json").write_text(json.dumps({**description, "pixel_scale_arcsec": 0.2}))
    with pytest.raises(ValueError, match="was exported for .*0.2"):
        load_exported_model(other)


def test_reddening_of_another_shape_or_not_finite_is_refused(exported):
    model = load_exported_model(exported)
    images, _ = colour_stacks(3)
    with pytest.raises(ValueError, match=r"with E\(B-V\) of shape \(2,\)"):
        model.predict(images, [0.1, 0.1])
    with pytest.raises(ValueError, match=r"mine: E\(B-V\) of row 2 is not finite; give it a value"):
        model.predict(images, [0.1, 0.1, np.nan], "mine")


def test_a_pdf_of_nan_of_an_older_export_has_no_mode(exported, monkeypatch):
    """Before outputs were guarded, argmax of NaN was the first bin."""
    model = load_exported_model(exported)
    older = {name: tf.constant([0.1, 0.00111]) for name in OUTPUTS}
    older["pdf"] = tf.constant([[1 / 180] * 180, [np.nan] * 180], tf.float32)
    monkeypatch.setattr(model, "_model", SimpleNamespace(serve=lambda image, ebv: older))
    found = model.predict(np.zeros((2, 64, 64, 5)), np.zeros(2))
    for name, values in found.items():
        assert np.isfinite(values[0]).all() and np.isnan(values[1]).all(), name


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="not an exported model .*photoz export"):
        load_exported_model(tmp_path)


def test_shards_of_both_origins_in_one_folder_are_refused(exported, tmp_path):
    for index, origin in enumerate(("simulated", "stacked")):
        images, table = colour_stacks(2, first_id=2 * index)
        write_shard(shard_path(tmp_path, index), images, table, SDSS, origin)
    with pytest.raises(ValueError, match="simulated and stacked shards in one folder; keep them apart"):
        infer_shards(load_exported_model(exported), tmp_path, progress=False)


def test_stacks_in_parts_are_predicted_as_the_whole(exported):
    model = load_exported_model(exported)
    images, table = colour_stacks(6)
    whole = infer_stacks(model, [(images, table)], "simulated")
    parts = infer_stacks(model, [(images[:2], table[:2]), (images[2:], table[2:])], "simulated")
    assert list(parts["obj_id"]) == list(whole["obj_id"]) and parts.meta == whole.meta
    np.testing.assert_allclose(parts["pdf"], whole["pdf"], atol=1e-6)
