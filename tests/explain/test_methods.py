import numpy as np
import pytest

from photoz_morph.explain.gradients import Score
from photoz_morph.explain.methods import METHODS, PARTS, Settings, chosen_methods, last_maps
from tests.support.explain import galaxies, linear, total, two_inputs

SETTINGS = Settings(size=2, stride=1, n_steps=4, n_samples=2, n_masks=40)


@pytest.fixture(scope="module")
def flat():
    """Score of a linear network, galaxies, what replaces them, and the parts of their light and E(B-V)."""
    network, of_image, of_ebv = linear()
    inputs = galaxies(2)
    filling = {"image": np.zeros_like(inputs["image"]), "ebv": np.zeros_like(inputs["ebv"])}
    return Score(network, total), inputs, filling, inputs["image"] * of_image, inputs["ebv"] * of_ebv


@pytest.mark.parametrize("name", ["integrated_gradients", "gradient_times_input", "deep_lift"])
def test_parts_of_a_linear_network_are_weights_times_light(flat, name):
    score, inputs, filling, of_image, of_ebv = flat
    found = METHODS[name].explain(score, inputs, filling, SETTINGS)
    np.testing.assert_allclose(found["image"], of_image, atol=1e-4)
    np.testing.assert_allclose(found["ebv"], of_ebv, atol=1e-4)


def test_the_occlusion_of_a_band_sums_to_that_of_all_bands_of_a_linear_network(flat):
    score, inputs, filling, *_ = flat
    whole, by_band = (METHODS[name].explain(score, inputs, filling, SETTINGS)["image"]
                      for name in ("occlusion", "band_occlusion"))  # fmt: skip
    np.testing.assert_allclose(by_band.sum(axis=-1), whole, atol=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_maps_every_galaxy(name):
    network, inputs = two_inputs(), galaxies(2)
    filling = {"image": np.zeros_like(inputs["image"]), "ebv": np.zeros_like(inputs["ebv"])}
    found = METHODS[name].explain(Score(network, total), inputs, filling, SETTINGS)["image"]
    assert found.shape in (inputs["image"].shape, inputs["image"].shape[:3])
    assert np.isfinite(found).all() and np.ptp(found) > 0 or name in ("lime", "kernel_shap", "sobol", "hsic")
    assert METHODS[name].is_signed or (found >= 0).all()


def test_methods_are_chosen_by_name_in_their_order():
    assert list(chosen_methods(["lime", "occlusion", "lime"])) == ["lime", "occlusion"]
    with pytest.raises(ValueError, match="no method 'limes'; there are integrated_gradients"):
        chosen_methods(["limes"])
    assert METHODS["integrated_gradients"].unit == PARTS


def test_grad_cam_takes_the_last_layer_with_maps():
    assert last_maps(two_inputs()) == "maps"
