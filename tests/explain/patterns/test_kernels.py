import numpy as np
import pytest

from photoz_morph.explain.patterns.kernels import band_kernels, first_kernels
from tests.support.explain_layers import network_of


def test_first_kernels_are_those_before_which_nothing_has_weights():
    network, *_ = network_of("inception with batch norm and max pooling")
    kernels = first_kernels(network)
    assert set(kernels) == {"C1", "B1_C1"}
    assert kernels["C1"].shape == (5, 5, 5, 3) and kernels["B1_C1"].shape == (5, 5, 2, 3)
    assert set(first_kernels(network_of("resnet18")[0])) == {"conv1"}
    with pytest.raises(ValueError, match="has no convolution of pixels"):
        first_kernels(network_of("inception of PSF-matched photometry")[0])


def test_a_convolution_of_pixels_responds_with_its_kernel_in_units_of_the_sky():
    network, _, _, dark = network_of("inception")
    dark = {name: values[:1] for name, values in dark.items()}
    sky = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    found = band_kernels(network, "C1", dark, sky)
    expected = np.moveaxis(network.get_layer("C1").get_weights()[0], -1, 0) * sky
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_behind_scalings_the_response_is_that_to_the_light_of_a_band():
    network, _, _, dark = network_of("inception of photometry")
    dark = {name: values[:1] for name, values in dark.items()}
    found = band_kernels(network, "C1", dark)
    assert found.shape == (3, 5, 5, 5)
    kernel, scales = network.get_layer("C1").get_weights()[0], network.get_layer("pixel_scales")
    # Of g: its own linear channel, and twice asinh(x / 2 sigma) in the colours u - g, negative, and g - r.
    to_flux = 1 / np.asarray(scales.sky_sigma)[1]
    expected = (kernel[..., 1, :] / 20 + kernel[..., 7, :] - kernel[..., 6, :]) * to_flux
    np.testing.assert_allclose(np.moveaxis(found[..., 1], 0, -1), expected, rtol=1e-4, atol=1e-4)


def test_layers_without_maps_have_no_kernels():
    network, _, inputs, _ = network_of("inception")
    with pytest.raises(ValueError, match="layer 'FC1' has outputs of shape .*, no maps"):
        band_kernels(network, "FC1", {name: values[:1] for name, values in inputs.items()})
