import dataclasses

import keras
import numpy as np
import pytest

from photoz_morph.config import load_config
from photoz_morph.explain.gradients import Score
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.explanation.galaxies import Seen
from photoz_morph.photoz.explanation.known_truth import REGIONS, measure_known_truth
from photoz_morph.simulation.sdss.sample import simulate_galaxy
from photoz_morph.surveys import SDSS
from tests.support.explain import total

N = 12


@pytest.fixture(scope="module")
def config():
    """Of the embedded default."""
    return load_config("photoz_simulated.yaml", PhotozConfig)


@pytest.fixture(scope="module")
def seen(config):
    """Simulated galaxies."""
    made = [simulate_galaxy(7, index, deep_fraction=config.simulation.deep_fraction) for index in range(N)]
    columns = {name: np.array([row[name] for _, row in made]) for name in ("obj_id", "group_id", "z_spec")}
    inputs = {"image": np.stack([image for image, _ in made]),
              "ebv": np.array([row["ebv"] for _, row in made], np.float32)}  # fmt: skip
    return Seen(inputs, columns, np.zeros((1, N, 1)))


def colour_network():
    """Sum of g less sum of r over the stamp, plus E(B-V): what it does is known."""
    image, ebv = keras.Input(SDSS.image_shape, name="image"), keras.Input((), name="ebv")
    flux = keras.layers.GlobalAveragePooling2D()(image)
    joined = keras.layers.Concatenate()([flux, keras.layers.Reshape((1,))(ebv)])
    layer = keras.layers.Dense(1, use_bias=False)
    network = keras.Model({"image": image, "ebv": ebv}, layer(joined))
    layer.set_weights([np.array([[0], [1], [-1], [0], [0], [1.0]], "float32")])
    return network


@pytest.fixture(scope="module")
def table(seen, config, tmp_path_factory):
    """Of the network that sums colours."""
    score = Score(colour_network(), total)
    return measure_known_truth(tmp_path_factory.mktemp("truth"), seen, score, config, n_steps=4, progress=False)


def test_a_network_of_two_bands_is_moved_by_them_and_by_no_other(table):
    assert np.nanmax(np.abs(table["band_i_of_another"])) < 1e-5
    assert np.nanmin(np.abs(table["band_g_of_another"])) > 1e-5


def test_the_reddening_that_is_told_moves_the_answer_by_its_weight(table):
    np.testing.assert_allclose(table["dust_told"], 0.05, atol=1e-5)
    np.testing.assert_allclose(table["dust_in_both"] - table["dust_in_pixels"], 0.05, atol=1e-5)


def test_sums_do_not_change_with_a_small_shift(table):
    light = np.abs(table["target"])
    assert np.nanmedian(np.abs(table["moved_1"])) < 0.02 * np.median(light)


def test_shares_of_the_regions_are_whole_and_the_sky_is_dark(table):
    for name in ("attribution", "flux", "pixels"):
        np.testing.assert_allclose(np.sum(table[f"{name}_share"], axis=1), 1, atol=1e-5)
    sky = REGIONS.index("sky")
    # The map of a linear network follows the light.
    assert np.median(table["attribution_share"][:, sky]) < 0.35 < np.median(table["pixels_share"][:, sky])


def test_galaxies_of_another_simulation_are_refused(seen, config, tmp_path):
    other = dataclasses.replace(seen, inputs={**seen.inputs, "image": seen.inputs["image"][::-1]})
    with pytest.raises(ValueError, match="is not what this version simulates under its number"):
        measure_known_truth(tmp_path, other, Score(colour_network(), total), config, progress=False)
