from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.mocks.labels import MERGER
from photoz_morph.mocks.sample import MockSettings, mock_galaxy
from photoz_morph.morph import dataset
from photoz_morph.morph.explanation import known_truth
from photoz_morph.morph.explanation.known_truth import REGIONS, measure_known_truth
from photoz_morph.shards.scenes import NATIVE_PIXEL_KPC, Scene
from photoz_morph.simulation.morphology.candidates import draw_type
from photoz_morph.simulation.morphology.sample import simulate_galaxy
from photoz_morph.simulation.seeds import INDICES_PER_SEED

SEED = 3
FACTS = {"origin": "simulated", "binning": "sample", "fieldkpc": 100.0}


@pytest.fixture(scope="module")
def merger(tmp_path_factory):
    """Stamp of ten years of the first merger of a seed, its columns, and the folder of its encounter."""
    folder = tmp_path_factory.mktemp("encounters")
    index = next(index for index in range(100) if draw_type(SEED, index)[0] == MERGER)
    image, row, _ = simulate_galaxy(SEED, index, folder)
    scene = Scene(image, NATIVE_PIXEL_KPC, int(row["obj_id"]), int(row["group_id"]))
    stamp = mock_galaxy(scene, MockSettings())[0][10]
    columns = {"obj_id": SEED * INDICES_PER_SEED + index, "group_id": row["group_id"], "label": MERGER,
               "intended_type": MERGER, "separation": row["separation"]}  # fmt: skip
    return stamp, {name: np.array([value]) for name, value in columns.items()}, folder


def of_flux():
    """Network whose logit of the last class is the flux of the stamp in r [mJy], and 0 for the others."""
    image = keras.Input((100, 100, 3), name="image")
    flux = keras.layers.Flatten()(keras.layers.GlobalAveragePooling2D()(image))
    layer = keras.layers.Dense(3, use_bias=False)
    network = keras.Model({"image": image}, {"logits": layer(flux)})
    weights = np.zeros((3, 3), "float32")
    weights[1, 2] = 1e-2
    layer.set_weights([weights])
    return network


def measured(merger, monkeypatch, folder, stamp=None):
    """Table of that merger as if it were the only test galaxy of a dataset."""
    image, columns, encounters = merger
    batch = tf.constant((image if stamp is None else stamp)[None])
    monkeypatch.setattr(known_truth.reading, "read_columns", lambda builder, split: columns)
    monkeypatch.setattr(dataset, "domain_images", lambda *arguments: [batch])
    builder = SimpleNamespace(info=SimpleNamespace(metadata=FACTS), data_dir="here")
    return measure_known_truth(
        folder, builder, of_flux(), "y10", "spiral_elliptical_merger", 5, encounters, 4, progress=False
    )


def test_a_network_of_the_flux_loses_the_light_that_is_taken_out(merger, monkeypatch, tmp_path):
    table = measured(merger, monkeypatch, tmp_path)
    light = merger[0][..., 1].mean() * 1e-2
    parts = table["light_of_parts"][0]
    np.testing.assert_allclose(parts.sum(), 1, atol=1e-5)
    # Shares are of all bands, the flux is of r: they agree as far as the parts have one colour.
    np.testing.assert_allclose(-table["without_companion"][0] / light, parts[1], atol=0.1)
    np.testing.assert_allclose(-table["without_tails"][0] / light, parts[2], atol=0.1)
    assert table["primary_alone"][0] <= min(table["without_companion"][0], table["without_tails"][0])


def test_the_attribution_of_such_a_network_lies_where_the_light_is(merger, monkeypatch, tmp_path):
    table = measured(merger, monkeypatch, tmp_path)
    sky = REGIONS.index("sky")
    assert table["attribution_share"][0, sky] < 0.5 < table["pixels_share"][0, sky]
    np.testing.assert_allclose(table["attribution_share"].sum(), 1, atol=1e-5)


def test_a_stamp_of_another_scene_is_refused(merger, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="is not what this version simulates under its number"):
        measured(merger, monkeypatch, tmp_path, 3 * merger[0][::-1, ::-1])


def test_other_galaxies_have_no_known_truth(tmp_path):
    builder = SimpleNamespace(info=SimpleNamespace(metadata={"origin": "tng"}), data_dir="here")
    with pytest.raises(ValueError, match="galaxies are tng; --science needs those of `morph simulate`"):
        measure_known_truth(tmp_path, builder, of_flux(), "y10", "merger", 5)
