import keras
import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.explain.anatomy import examine, has_convolutions
from photoz_morph.explain.files import ANATOMY, read_stored
from photoz_morph.explain.gradients import Score
from tests.support.explain import BANDS, total


def stripes(side=12):
    """Network whose only filter prefers a horizontal stripe in the second band, and gives the mean of its map."""
    image = keras.Input((side, side, BANDS), name="image")
    layer = keras.layers.Conv2D(1, 3, use_bias=False, name="stripe")
    maps = keras.layers.ReLU(name="positive")(layer(image))
    kernel = np.zeros((3, 3, BANDS, 1), "float32")
    kernel[:, :, 1, 0] = [[-1, -1, -1], [2, 2, 2], [-1, -1, -1]]
    layer.set_weights([kernel])
    return keras.Model({"image": image}, keras.layers.Flatten()(keras.layers.GlobalAveragePooling2D()(maps))), kernel


@pytest.fixture(scope="module")
def examined(tmp_path_factory):
    """Folder of that network among noise, of which one image has the stripe."""
    folder, rng = tmp_path_factory.mktemp("anatomy"), np.random.default_rng(4)
    seen = {"image": rng.normal(size=(40, 12, 12, BANDS)).astype("float32")}
    seen["image"][17, 6, :, 1] += 20
    network, kernel = stripes()
    inputs = {"image": seen["image"][:5]}
    facts = Table({"obj_id": np.arange(40)})
    latents = rng.normal(size=(40, 3))
    ids, score = Table({"obj_id": np.arange(5)}), Score(network, total)
    filling = {"image": rng.normal(size=inputs["image"].shape).astype("float32")}
    examine(folder, ids, inputs, filling, seen, facts, latents, score, "stripe", progress=False)
    return folder, kernel


def test_kernels_are_told_per_sigma_of_the_sky(examined):
    folder, kernel = examined
    found = read_stored(folder, "kernels").arrays["kernels"][0]
    assert np.all(found[..., [0, 2]] == 0)
    np.testing.assert_allclose(found[..., 1] / found[1, 1, 1], kernel[..., 1, 0] / 2, atol=1e-5)


def test_the_strongest_patch_is_of_the_galaxy_with_the_stripe(examined):
    arrays = read_stored(examined[0], "strongest").arrays
    assert arrays["galaxies"][0, 0] == 17
    patch, projection = arrays["patches"][0, 0], arrays["projections"][0, 0]
    assert patch[1, :, 1].min() > 10 > np.abs(patch[[0, 2], :, 1]).max()
    assert projection[1, :, 1].min() > 0 > projection[0, :, 1].max()


def test_what_raises_the_target_is_stripes_in_the_band_of_the_filter(examined):
    arrays = read_stored(examined[0], "raised").arrays
    before, higher, lower, noise_before, noise_after = arrays["target"].T
    assert np.all(higher > 1.5 * before) and np.all(lower < before) and np.all(noise_after > noise_before)
    change = np.abs(arrays["higher_change"]).sum(axis=(0, 1, 2))
    assert change[1] > 20 * max(change[0], change[2])


def test_every_part_is_there_and_none_is_computed_again(examined):
    assert all(read_stored(examined[0], name) for name in ANATOMY)
    table = read_stored(examined[0], "latent").table
    assert table["position"].shape == (40, 2) and table["alike"].shape == (40, 8)


def test_a_network_of_dense_layers_has_no_filters():
    image = keras.Input((4, 4, 2), name="image")
    assert not has_convolutions(keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(image))))
    assert has_convolutions(stripes()[0])
