import numpy as np
import pytest

from photoz_morph.blend.baselines.detection import (
    SepSettings,
    detect,
    detection_image,
    filter_kernel,
    subtract_background,
)
from photoz_morph.blend.scenes.frames import read_image_scene
from photoz_morph.metrics.segmentation import source_pixels
from tests.support.blends import blended_scene, gaussian_sources
from tests.support.paths import SHARED_DATA

SEP_FRAME = SHARED_DATA / "sep_frame"


def test_isolated_sources_are_found_where_they_are():
    places = [(20.3, 30.6), (44.0, 48.0), (50.8, 12.2)]
    image, sigma, light = gaussian_sources(places, flux=20_000)
    sources, segmentation = detect(image, sigma)
    found = sorted(zip(sources["y"], sources["x"]))
    np.testing.assert_allclose(found, places, atol=0.1)
    np.testing.assert_allclose(sources["a"], 2, rtol=0.1)  # of the light above the threshold
    for number, source in enumerate(sources, start=1):
        rows, columns = np.nonzero(segmentation == number)
        assert source["npix"] == len(rows)
        assert source["box"].tolist() == [rows.min() - 0.5, columns.min() - 0.5, rows.max() + 0.5, columns.max() + 0.5]
        # The score is the signal-to-noise ratio of its pixels.
        own = image[rows, columns].sum()
        assert source["score"] == pytest.approx(own / np.sqrt(len(rows) * np.sum(sigma**2)), rel=1e-4)


def test_a_blend_is_taken_apart_where_the_contrast_allows():
    scene = blended_scene()
    whole, _ = detect(scene.image, scene.sigma, SepSettings(deblend_cont=1.0))
    parts, segmentation = detect(scene.image, scene.sigma, SepSettings(deblend_cont=0.001))
    assert len(whole) == 1 and len(parts) == 2
    iou, _ = source_pixels(scene.instances, segmentation, 2)
    assert (iou > 0.5).all()


def test_boxes_of_ellipses_have_the_extent_of_the_moments():
    image, sigma, _ = gaussian_sources([(30.0, 30.0)], flux=1e6, widths=[(2.0, 4.0)])
    sources, _ = detect(image, sigma, SepSettings(box="ellipse", box_radii=2.0))
    # Standard deviations 2 along y and 4 along x; those of the light above the threshold are a little less.
    np.testing.assert_allclose(sources["box"][0], [26, 22, 34, 38], atol=0.8)
    edge, _ = detect(image[:, :33], sigma, SepSettings(box="ellipse", box_radii=3.0))
    assert edge["box"][0][3] == 32.5  # within the image


def test_bands_are_added_or_weighted_by_their_variance():
    rng = np.random.default_rng(0)
    sigma = np.array([1.0, 4.0])
    image = rng.normal(size=(200, 200, 2)) * sigma + 10
    for combine, signal, noise in (("sum", 20, np.sqrt(17)), ("weighted", 10 * (1 + 1 / 16), np.sqrt(1 + 1 / 16))):
        pixels, errors, _ = detection_image(image, sigma, combine)
        assert pixels.mean() == pytest.approx(signal, rel=0.01)
        assert errors[0, 0] == pytest.approx(noise) and pixels.std() == pytest.approx(noise, rel=0.02)


def test_bad_pixels_are_no_source_and_hide_none():
    image, sigma, _ = gaussian_sources([(20.0, 20.0)], flux=20_000)
    bad = np.broadcast_to(sigma, image.shape).copy()
    bad[40:44, 40:44, 0] = np.inf
    image[41, 41] = 1e7
    image[50, 50, 1] = np.nan
    sources, _ = detect(image, bad)
    assert len(sources) == 1 and abs(sources["y"][0] - 20) < 0.1


def test_the_matched_filter_knows_of_noisy_pixels():
    rng = np.random.default_rng(1)
    noise = np.ones((100, 100, 1))
    noise[:, 50:] = 5
    image = rng.normal(size=noise.shape) * noise
    matched, _ = detect(image, noise, SepSettings(threshold=4.5, filter_type="matched", minarea=1))
    assert len(matched) < 3  # of 10,000 pixels hardly one reaches 4.5 sigma


def test_no_source_in_an_image_of_noise_alone_or_of_nothing():
    noise = np.random.default_rng(0).normal(size=(64, 64, 3))
    for image in (noise, np.zeros((64, 64, 3))):
        sources, segmentation = detect(image, np.ones(3), SepSettings(threshold=6))
        assert len(sources) == 0 and sources["box"].shape == (0, 4) and not segmentation.any()


def test_the_score_of_the_peak_is_that_of_the_filtered_noise():
    # Filtered noise has a standard deviation of 1, so the brightest of its 16,384 pixels reach about 4.
    noise = np.random.default_rng(0).normal(size=(128, 128, 1)) * 7
    for fwhm in (0, 3.0):
        settings = SepSettings(threshold=0.01, minarea=1, rank="peak", filter_fwhm=fwhm, deblend_cont=1)
        sources, _ = detect(noise, [7.0], settings)
        assert 3 < sources["score"].max() < 5


def test_kernels_have_a_sum_of_one_and_the_width_asked_for():
    assert filter_kernel(0)[1].tolist() == [2 / 16, 4 / 16, 2 / 16]
    kernel = filter_kernel(4.0)
    half = len(kernel) // 2
    assert kernel.sum() == pytest.approx(1) and kernel[half, half + 2] == pytest.approx(kernel[half, half] / 2)


def test_a_sky_with_a_slope_is_subtracted():
    image, sigma, _ = gaussian_sources([(40.0, 40.0)], flux=20_000, shape=(256, 256))
    sky = np.linspace(0, 8, 256)[:, None, None] + np.array([100.0, 200])
    subtracted, noise = subtract_background(image + sky)
    np.testing.assert_allclose(noise, sigma, rtol=0.05)
    assert np.abs(np.median(subtracted[32:-32, 32:-32], axis=(0, 1))).max() < 0.3 * sigma.min()


def test_a_source_may_fill_the_image():
    rows, columns = np.indices((48, 48)) - 24
    image = np.repeat((500 * np.exp(-np.hypot(rows, columns) / 20))[..., None], 2, axis=2).astype(np.float32)
    sources, segmentation = detect(image, np.ones(2))
    assert len(sources) == 1 and (segmentation == 1).all()


def test_settings_that_mean_nothing_are_refused():
    for change, message in (
        ({"box": "circle"}, "box is 'circle', needs to be one of segment, ellipse"),
        ({"threshold": 0}, "threshold is 0, needs to be positive"),
        ({"deblend_cont": 2}, "deblend_cont is 2"),
        ({"mask_type": "mirror"}, "mask_type is 'mirror'"),
    ):
        with pytest.raises(ValueError, match=message):
            SepSettings(**change)


@pytest.mark.skipif(not SEP_FRAME.is_dir(), reason="needs sep's reference frame beside the checkout")
def test_sources_of_the_reference_frame_are_those_of_sextractor():
    # The catalogue of SExtractor itself, made without deblending; its positions begin at 1.
    reference = np.loadtxt(SEP_FRAME / "image.cat")
    image, sigma = subtract_background(read_image_scene(SEP_FRAME / "image.fits").image)
    sources, _ = detect(image, sigma, SepSettings(deblend_cont=1.0))
    assert len(sources) == len(reference) == 65
    sources, reference = sources[np.argsort(sources["y"])], reference[np.argsort(reference[:, 2])]
    np.testing.assert_allclose(sources["x"], reference[:, 1] - 1, atol=1e-3)
    np.testing.assert_allclose(sources["y"], reference[:, 2] - 1, atol=1e-3)
