import numpy as np
import pytest

from photoz_morph.blend.baselines.detection import SepSettings, detect
from photoz_morph.blend.baselines.stamps import cut_stamps, deblended_stamps, replaced_stamps
from tests.support.blends import SIGMA, blended_scene, gaussian_light


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


def test_a_replaced_neighbour_leaves_the_light_of_the_source_and_its_sky():
    places, shape = [(40.3, 39.6), (40.3, 52.6)], (80, 80)
    light = gaussian_light(places, [[6000, 6000], [9000, 9000]], [(2.0, 2.0)] * 2, shape)
    noise = np.random.default_rng(0).normal(size=(*shape, 2)) * SIGMA
    image = (light.sum(axis=0) + noise).astype(np.float32)
    sources, segmentation = detect(image, SIGMA, SepSettings(deblend_cont=0.001))
    assert len(sources) == 2
    order = np.argsort(sources["x"])
    stamps, is_whole = replaced_stamps(image, SIGMA, segmentation, sources["y"][order], sources["x"][order], 32,
                                       numbers=order + 1)  # fmt: skip
    assert is_whole.all() and stamps.shape == (2, 32, 32, 2) and stamps.dtype == np.float32
    for stamp, own, other in zip(stamps, light, light[::-1]):
        flux, error = stamp.sum(axis=(0, 1)), 32 * SIGMA
        # Wings of the neighbour below the threshold stay: 3 % of its flux at most.
        assert (np.abs(flux - own.sum(axis=(0, 1))) < 4 * error + 0.03 * other.sum(axis=(0, 1))).all()
        centre = np.unravel_index(np.argmax(stamp.sum(axis=-1)), (32, 32))
        assert np.abs(np.array(centre) - 15.5).max() <= 1.5
        assert stamp[:, :4].std(axis=(0, 1)) == pytest.approx(SIGMA, rel=0.35)  # 128 pixels


def test_stamps_beyond_the_image_have_noise_there_and_say_so():
    image = np.full((40, 50, 2), 100.0, np.float32)
    sigma = np.broadcast_to(SIGMA, image.shape).copy()
    sigma[20, 30] = np.inf
    positions = np.array([[20.0, 20.0], [3.2, 20.0], [20.0, 35.0]])
    stamps, is_whole = replaced_stamps(image, sigma, np.zeros((40, 50), int), *positions.T, 16)
    assert list(is_whole) == [True, False, False]
    assert (stamps[0] == 100).all() and np.isfinite(stamps).all()
    beyond = stamps[1, :4]  # row 3 of the image is row 7 of a stamp
    assert (stamps[1, 4:] == 100).all() and beyond.std(axis=(0, 1)) == pytest.approx(SIGMA, rel=0.4)
    assert np.sum(stamps[2] != 100) == 2  # the bad pixel, in both bands
    again, _ = replaced_stamps(image, sigma, np.zeros((40, 50), int), *positions.T, 16)
    np.testing.assert_array_equal(stamps, again)
