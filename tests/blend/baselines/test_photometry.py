import numpy as np
import pytest

from photoz_morph.blend.baselines.detection import SepSettings
from photoz_morph.blend.baselines.photometry import measured_sources, without_others
from photoz_morph.blend.scenes.frames import read_image_scene
from tests.support.blends import SIGMA, blended_scene, gaussian_light, gaussian_sources
from tests.support.paths import SHARED_DATA

SEP_FRAME = SHARED_DATA / "sep_frame"


def measured(image, sigma, **settings):
    return measured_sources(image, sigma, SepSettings(**settings))


def test_the_kron_ellipse_has_nearly_all_light_of_a_gaussian_and_a_segment_that_of_its_pixels():
    # Kron (1980): an aperture of 2.5 radii has more than 90 % of the light; of a Gaussian 99 %, less what lies below
    # the threshold, from which the radius follows.
    image, sigma, light = gaussian_sources([(20.0, 22.0), (45.0, 40.0)], flux=1e5)
    sources, segmentation = measured(image, sigma)
    np.testing.assert_allclose(sources["flux"], 5e4, rtol=0.03)
    for number, source in enumerate(sources, start=1):
        np.testing.assert_allclose(source["flux_segment"], image[segmentation == number].sum(axis=0), rtol=1e-5)
        np.testing.assert_allclose(source["flux_segment_error"], SIGMA * np.sqrt(source["npix"]))


def test_errors_are_the_scatter_of_fluxes_over_noise():
    place, errors, fluxes = [(32.0, 32.0)], [], []
    for seed in range(60):
        image, sigma, _ = gaussian_sources(place, flux=30_000, seed=seed)
        sources, _ = measured(image, sigma)
        fluxes.append(sources["flux"][0])
        errors.append(sources["flux_error"][0])
    # The size of the ellipse has noise of its own; the scatter of 60 is known to 9 %.
    np.testing.assert_allclose(np.std(fluxes, axis=0), np.mean(errors, axis=0), rtol=0.35)


def test_radii_of_a_gaussian_follow_from_its_width():
    image, sigma, _ = gaussian_sources([(30.0, 30.0)], flux=1e6, widths=[(3.0, 3.0)])
    sources, _ = measured(image, sigma)
    # The circle with a fraction f of the light has a radius of s sqrt(-2 ln(1 - f)).
    np.testing.assert_allclose(sources["radii"][0], 3 * np.sqrt(-2 * np.log(1 - np.array([0.2, 0.5, 0.8]))), rtol=0.03)
    assert sources["asymmetry"][0] < 0.05


def test_neighbours_are_mirrored_blanked_or_left():
    image = np.arange(25.0).reshape(5, 5, 1)
    owners = np.zeros((5, 5), int)
    owners[2, 2], owners[2, 3], owners[0, :2], owners[4, 4] = 1, 2, 2, 3
    blank = image.copy()
    blank[owners > 1] = 0
    np.testing.assert_array_equal(without_others(image, owners, 1, 2.0, 2.0, "none"), image)
    np.testing.assert_array_equal(without_others(image, owners, 1, 2.0, 2.0, "blank"), blank)
    mirrored = blank.copy()
    mirrored[2, 3], mirrored[0, 1] = 11, 23  # the pixel before the centre, and that of row 4, column 3
    np.testing.assert_array_equal(without_others(image, owners, 1, 2.0, 2.0, "correct"), mirrored)  # corners: none


def test_replaced_neighbours_make_the_flux_of_a_blend_better_than_those_left_in():
    scene = blended_scene(separation=8.0, flux=40_000)
    errors = {}
    for mask_type in ("none", "blank", "correct"):
        sources, _ = measured(scene.image, scene.sigma, deblend_cont=0.001, mask_type=mask_type)
        assert len(sources) == 2
        errors[mask_type] = np.abs(sources["flux"] / 20_000 - 1).mean()
    assert errors["correct"] < errors["none"] / 2 and errors["correct"] < 0.15


def test_a_turned_image_has_the_same_measurements():
    light = gaussian_light([(31.0, 31.0), (27.0, 36.0)], [[9e4, 9e4], [2e4, 1e4]], [(2.0, 3.0), (2.0, 2.0)], (63, 63))
    image = light.sum(axis=0) + np.random.default_rng(0).normal(size=(63, 63, 2)) * SIGMA
    one, other = (measured(picture, SIGMA, deblend_cont=1.0)[0] for picture in (image, image[::-1, ::-1]))
    for name in ("flux", "flux_segment", "radii", "kron_radius"):
        np.testing.assert_allclose(one[name], other[name], rtol=0.01)
    assert one["asymmetry"][0] == pytest.approx(other["asymmetry"][0], abs=0.02)
    assert one["asymmetry"][0] > 0.05  # its companion lies on one side


def test_bad_pixels_are_made_up_for_and_images_without_sources_have_empty_columns():
    image, sigma, _ = gaussian_sources([(30.0, 30.0)], flux=1e5)
    noise = np.broadcast_to(sigma, image.shape).copy()
    noise[33, 27:31] = np.inf
    image[33, 27:31] = 1e6
    sources, _ = measured(image, noise)
    np.testing.assert_allclose(sources["flux"][0], 5e4, rtol=0.1)
    none, _ = measured(np.zeros((20, 20, 2)), sigma)
    assert len(none) == 0 and none["flux"].shape == (0, 2) and none["radii"].shape == (0, 3)


def test_a_sky_that_is_not_given_is_measured():
    image, sigma, _ = gaussian_sources([(60.0, 60.0), (150.0, 90.0)], flux=1e5, shape=(192, 192))
    known, _ = measured(image, sigma)
    image[3, 5] = np.nan
    found, _ = measured(image + np.array([100.0, 300.0]), None)
    np.testing.assert_allclose(found["flux"], known["flux"], rtol=0.03)


@pytest.mark.skipif(not SEP_FRAME.is_dir(), reason="needs sep's reference frame beside the checkout")
def test_fluxes_of_the_reference_frame_are_those_of_sextractor():
    # SExtractor's FLUX_AUTO, made with MASK_TYPE NONE and no least radius.
    reference = np.loadtxt(SEP_FRAME / "image.cat")
    image = read_image_scene(SEP_FRAME / "image.fits").image
    sources, _ = measured(image, None, deblend_cont=1.0, mask_type="none")
    sources, reference = sources[np.argsort(sources["y"])], reference[np.argsort(reference[:, 2])]
    is_large = sources["kron_radius"] * np.sqrt(sources["a"] * sources["b"]) >= 1.75
    assert is_large.sum() > 30
    np.testing.assert_allclose(sources["flux"][is_large, 0], reference[is_large, 15], rtol=1e-3)
    np.testing.assert_allclose(2.5 * sources["kron_radius"][is_large], reference[is_large, 14], atol=0.006)  # 2 digits
