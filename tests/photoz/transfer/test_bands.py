import numpy as np
import pytest

from photoz_morph.models.layers.photometric_inputs import PixelScales
from photoz_morph.photoz.transfer.bands import band_map, kernel_of_pixels, kernel_of_scales, scale_channels
from photoz_morph.surveys import SDSS, SURVEYS

RNG = np.random.default_rng(1)


def responses(channels, kernel):
    return channels @ kernel[0, 0]


def test_bands_go_by_name_and_a_new_one_starts_from_its_neighbour_in_wavelength():
    found = band_map(SDSS, SURVEYS["hsc"])  # ugriz to grizy
    assert found.origin == (1, 2, 3, 4, 4) and found.stand_in == (0, 0, 1, 2, 3)
    np.testing.assert_array_equal(found.shares[0], 0)  # u is left out
    np.testing.assert_array_equal(found.shares[4], [0, 0, 0, 0.5, 0.5])  # z and y share what was of z
    assert band_map(SDSS, SDSS).is_same and not found.is_same


def test_surveys_without_a_band_in_common_are_refused():
    other = SURVEYS["legacy"]
    strange = type(other)(**{**vars(other), "name": "infrared", "bands": ("J", "H", "K")})
    with pytest.raises(ValueError, match="infrared has bands J, H, K, sdss has u, g, r, i, z: none in common"):
        band_map(SDSS, strange)


@pytest.mark.parametrize("name", ["legacy", "hsc", "lsst_coadd", "sdss"])
def test_the_maps_of_raw_pixels_are_those_of_an_image_with_zeros_in_the_bands_left_out(name):
    survey = SURVEYS[name]
    bands, kernel = band_map(SDSS, survey), RNG.normal(size=(1, 1, 5, 3))
    pixels = RNG.normal(size=(7, survey.n_bands))
    old = np.zeros((7, 5))
    for at, band in enumerate(SDSS.bands):
        same = [number for number, origin in enumerate(bands.origin) if origin == at]
        if same:  # a band and the new one that starts from it: their mean
            old[:, at] = pixels[:, same].mean(axis=1)
    np.testing.assert_allclose(responses(pixels, kernel_of_pixels(kernel, bands, 2.0)), 2 * responses(old, kernel))


@pytest.mark.parametrize("name", ["legacy", "hsc", "lsst_coadd"])
def test_the_maps_of_scaled_pixels_take_a_band_left_out_as_its_neighbour_in_colours(name):
    survey = SURVEYS[name]
    bands, kernel = band_map(SDSS, survey), RNG.normal(size=(1, 1, 10, 3))
    linear, faint = RNG.normal(size=(2, 7, survey.n_bands))
    new = np.concatenate([linear, faint], axis=1) @ scale_channels(survey.n_bands).T
    old = np.concatenate([linear @ bands.shares.T, faint @ bands.filled.T], axis=1) @ scale_channels(5).T
    np.testing.assert_allclose(responses(new, kernel_of_scales(kernel, bands)), responses(old, kernel), atol=1e-12)


def test_the_channels_are_those_of_the_layer():
    image = RNG.normal(size=(2, 3, 3, 5)).astype(np.float32)
    found = PixelScales((1.0,) * 5)(image).numpy()
    expected = np.concatenate([image / 20, np.arcsinh(image / 2)], axis=-1) @ scale_channels(5).T
    np.testing.assert_allclose(found, expected, atol=1e-6)
