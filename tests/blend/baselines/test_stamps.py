import numpy as np
import pytest

from photoz_morph.blend.baselines.detection import SepSettings, detect
from photoz_morph.blend.baselines.stamps import cut_stamps, deblended_stamps
from tests.support.blends import blended_scene


def test_stamps_have_their_position_in_the_middle_and_nothing_beyond_the_image():
    image = np.arange(30.0).reshape(5, 6)
    stamps = cut_stamps(image, [2.2, 0.0], [3.4, 5.0], 3, fill=-1)
    np.testing.assert_array_equal(stamps[0], image[1:4, 2:5])
    np.testing.assert_array_equal(stamps[1], [[-1, -1, -1], [4, 5, -1], [10, 11, -1]])
    even = cut_stamps(image[..., None], [2], [3], 4)
    assert even.shape == (1, 4, 4, 1) and even[0, 2, 2, 0] == image[2, 3]
    assert cut_stamps(image, [], [], 3).shape == (0, 3, 3)
    with pytest.raises(ValueError, match="position y 5, x 0 is outside of the image"):
        cut_stamps(image, [0, 5], [0, 0], 3)


def test_deblended_stamps_share_out_the_light_of_the_segments():
    scene = blended_scene()
    sources, segmentation = detect(scene.image, scene.sigma, SepSettings(deblend_cont=0.001))
    stamps = deblended_stamps(scene.image, segmentation, sources["y"], sources["x"], 64)
    assert stamps.shape == (2, 64, 64, 2) and stamps.dtype == np.float32
    np.testing.assert_allclose(stamps.sum(axis=(0, 1, 2)), scene.image[segmentation > 0].sum(axis=0), rtol=1e-5)
    # The middle of each neighbour, 7 pixels on, is left out.
    direction = np.sign(sources["x"][1] - sources["x"][0])
    assert stamps[0, 32, 32 + int(7 * direction)].sum() == 0 and stamps[0, 32, 32].min() > 0


def test_the_sky_around_a_source_is_kept_if_asked_for():
    scene = blended_scene()
    sources, segmentation = detect(scene.image, scene.sigma, SepSettings(deblend_cont=0.001))
    with_sky = deblended_stamps(scene.image, segmentation, sources["y"], sources["x"], 21, with_sky=True)
    cut = cut_stamps(scene.image, sources["y"], sources["x"], 21)
    owners = cut_stamps(segmentation, sources["y"], sources["x"], 21)
    for number, (kept, whole, owner) in enumerate(zip(with_sky, cut, owners), start=1):
        is_other = (owner != number) & (owner > 0)
        assert is_other.any() and not kept[is_other].any()
        np.testing.assert_array_equal(kept[~is_other], whole[~is_other])
