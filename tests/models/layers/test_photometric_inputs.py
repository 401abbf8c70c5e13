import keras
import numpy as np
import pytest

from photoz_morph.models.layers.photometric_inputs import (
    ApertureFluxes,
    Deredden,
    PixelScales,
    Standardization,
    Whitening,
    adapt_to_training_set,
)
from photoz_morph.models.loading import load_network
from photoz_morph.surveys import SDSS


@pytest.fixture(scope="module")
def stamps():
    return np.random.default_rng(1).normal(size=(4, *SDSS.image_shape)).astype(np.float32)


def test_deredden_undoes_extinction(stamps):
    ebv = np.array([0.0, 0.05, 0.1, 0.3], np.float32)
    extinction = ebv[:, None] * np.asarray(SDSS.extinction_per_ebv)
    reddened = stamps * 10 ** (-0.4 * extinction)[:, None, None, :]
    restored = Deredden(SDSS.extinction_per_ebv)([reddened.astype(np.float32), ebv])
    np.testing.assert_allclose(restored, stamps, rtol=1e-5, atol=1e-6)


def test_aperture_fluxes_of_a_flat_stamp_count_pixels():
    layer = ApertureFluxes(sky_sigma=[1.0], radii=(2.5, 5.0))
    values = np.asarray(layer(np.ones((1, 64, 64, 1), np.float32)))[0]
    offsets = np.arange(64) - 31.5
    counts = [sum(a * a + b * b <= r * r for a in offsets for b in offsets) for r in (2.5, 5.0)]
    np.testing.assert_allclose(values, np.arcsinh(np.array(counts) / (2 * np.sqrt(counts))), rtol=1e-6)


def test_whitened_values_have_unit_covariance():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(5000, 4)) @ rng.normal(size=(4, 4)) * 30 + 7
    layer = Whitening()
    layer.build(values.shape)
    layer.adapt(values)
    white = np.asarray(layer(values.astype(np.float32)))
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(4), atol=1e-2)


def test_pixel_scales_show_colour_independent_of_brightness():
    bright = np.full((1, 2, 2, 5), 50.0, np.float32) * np.asarray(SDSS.sky_sigma, np.float32)
    colours = [np.asarray(PixelScales(SDSS.sky_sigma)(image))[..., 6:] for image in (bright, 10 * bright)]
    np.testing.assert_allclose(colours[0], colours[1], atol=1e-3)


def test_a_network_is_adapted_to_its_batches_and_keeps_the_components_when_saved(tmp_path):
    image = keras.Input((8, 8, 1), name="image")
    fluxes = ApertureFluxes([1.0], radii=(1.5, 3.0), name="aperture_fluxes")(image)
    network = keras.Model({"image": image}, Whitening(name="whitening")(fluxes))
    images = np.random.default_rng(3).normal(size=(400, 8, 8, 1)).astype(np.float32) * 20
    adapt_to_training_set(network, [{"image": images[:150]}, {"image": images[150:]}])
    white = np.asarray(network({"image": images}))
    np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(2), atol=1e-2)
    network.save(tmp_path / "network.keras")
    np.testing.assert_array_equal(load_network(tmp_path / "network.keras")({"image": images}), white)


def test_layers_that_do_not_wait_for_another_are_measured_in_one_pass():
    class Batches(list):
        passes = 0

        def __iter__(self):
            self.passes += 1
            return super().__iter__()

    image = keras.Input((8, 8, 1), name="image")
    fluxes = ApertureFluxes([1.0], radii=(1.5, 3.0), name="aperture_fluxes")(image)
    white, standard = Whitening(name="whitening")(fluxes), Standardization(name="standardization")(fluxes)
    last = Standardization(name="last")(keras.layers.Concatenate()([white, 3 * standard]))
    network = keras.Model({"image": image}, {"standard": standard, "last": last})
    images = np.random.default_rng(3).normal(size=(400, 8, 8, 1)).astype(np.float32) * 20
    batches = Batches([{"image": images[:150]}, {"image": images[150:]}])
    adapt_to_training_set(network, batches)
    assert batches.passes == 2  # whitening and standardization; then the last, whose input they are
    for values in network({"image": images}).values():
        np.testing.assert_allclose(np.std(values, axis=0), 1, atol=1e-2)
