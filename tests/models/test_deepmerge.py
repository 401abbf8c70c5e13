import numpy as np
import pytest

from photoz_morph.models.deepmerge import deepmerge
from photoz_morph.models.inception_photoz import trainable_parameter_count


@pytest.fixture(scope="module")
def published():
    return deepmerge(seed=1)


def test_published_parameter_count_and_map_sizes(published):
    assert trainable_parameter_count(published) == 174_626
    assert published.count_params() == 174_738  # with batch norm's moving moments
    assert [published.get_layer(f"pool{i}").output.shape[1] for i in (1, 2, 3)] == [37, 18, 9]
    assert published.output["latent"].shape[1] == 9 * 9 * 32 == 2592


def test_deepmerge_sees_the_central_75_pixels(published):
    image = np.random.default_rng(1).normal(size=(4, 100, 100, 3)).astype(np.float32)
    outside = image.copy()
    outside[:, :12] = outside[:, :, :12] = outside[:, 87:] = outside[:, :, 87:] = 9
    inside = image.copy()
    inside[:, 12, 50] = inside[:, 50, 86] = 9
    latents = [published({"image": pixels})["latent"] for pixels in (image, outside, inside)]
    before, same, changed = map(np.asarray, latents)
    np.testing.assert_array_equal(before, same)
    assert not np.array_equal(before, changed)


def test_dense_weights_are_those_of_pytorch(published):
    """nn.Linear draws uniformly within 1 / sqrt(fan in)."""
    kernel = np.asarray(published.get_layer("dense1").kernel)
    assert np.abs(kernel).max() <= 1 / np.sqrt(2592) and np.abs(kernel).max() > 0.999 / np.sqrt(2592)


def test_a_stamp_smaller_than_the_crop_is_refused():
    with pytest.raises(ValueError, match="model.crop is 75, the stamps have 64 x 64 pixels"):
        deepmerge(image_shape=(64, 64, 3))
