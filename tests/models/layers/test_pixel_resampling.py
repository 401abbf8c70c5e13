import keras
import numpy as np
import pytest

from photoz_morph.models.layers.pixel_resampling import PixelResampling, overlaps


def test_flux_and_position_are_kept_by_finer_and_coarser_pixels():
    rows, columns = np.indices((40, 40)) - 19.5
    image = np.exp(-0.5 * ((rows - 2) ** 2 + columns**2) / 9).astype(np.float32)
    for other in (0.2, 0.3, 0.5, 0.9):
        found = PixelResampling(0.3, other)(image[None, :, :, None]).numpy()[0, :, :, 0]
        at = (np.arange(len(found)) - (len(found) - 1) / 2) * other / 0.3
        assert found.sum() == pytest.approx(image.sum(), rel=1e-4)
        assert (found.sum(axis=1) * at).sum() / found.sum() == pytest.approx(2, abs=0.02)
        assert (found.sum(axis=0) * at).sum() / found.sum() == pytest.approx(0, abs=0.02)


def test_whole_blocks_of_pixels_are_their_sums():
    image = np.arange(36.0).reshape(1, 6, 6, 1)
    blocks = image.reshape(3, 2, 3, 2).sum(axis=(1, 3))
    np.testing.assert_allclose(PixelResampling(0.2, 0.4)(image)[0, :, :, 0], blocks)
    np.testing.assert_allclose(overlaps(6, 0.2, 0.4).sum(axis=0), 1)


def test_independent_noise_grows_with_the_side_of_a_pixel():
    noise = np.random.default_rng(1).normal(size=(20, 60, 60, 1)).astype(np.float32)
    assert PixelResampling(0.2, 0.4)(noise).numpy().std() == pytest.approx(2, rel=0.02)


def test_the_layer_comes_back_from_its_config():
    layer = PixelResampling.from_config(PixelResampling(0.168, 0.396, name="resampling").get_config())
    inputs = keras.Input((64, 64, 3))
    assert layer(inputs).shape == (None, 27, 27, 3)
