import warnings

import numpy as np
import pytest
from astropy.io import fits

from photoz_morph.blend.scenes.frames import read_field_scene, read_frame_scene, read_image_scene
from photoz_morph.surveys import SDSS
from tests.support.paths import SHARED_DATA

FRAMES = SHARED_DATA / "sdss_frames"
needs_frames = pytest.mark.skipif(not FRAMES.is_dir(), reason="needs SDSS frames beside the checkout")


def write_image(path, image, **header):
    fits.PrimaryHDU(np.asarray(image, np.float32), fits.Header(header)).writeto(path)


def test_an_image_of_bands_is_read_with_its_noise(tmp_path):
    planes = np.random.default_rng(0).normal(10, [[[1]], [[3]]], (2, 60, 50))
    planes[0, 3, 4] = np.nan
    write_image(tmp_path / "a.fits", planes)
    scene = read_image_scene(tmp_path / "a.fits", ("g", "r"))
    assert scene.image.shape == (60, 50, 2) and scene.bands == ("g", "r") and scene.truth is None
    assert scene.sigma[3, 4, 0] == np.inf and scene.image[3, 4, 0] == 0
    # Clipping at 3 sigma takes away 1.5 % of the scatter; 3,000 pixels know it to 1.3 %.
    np.testing.assert_allclose(scene.sigma[0, 0], [1, 3], rtol=0.06)
    np.testing.assert_allclose(scene.image[5:, 5:], np.moveaxis(planes, 0, -1)[5:, 5:].astype(np.float32))


def test_an_image_of_one_band_in_an_extension(tmp_path):
    image = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, name="SCI")]).writeto(tmp_path / "a.fits")
    for hdu in (None, 1, "SCI"):
        scene = read_image_scene(tmp_path / "a.fits", hdu=hdu)
        assert scene.image.shape == (30, 20, 1) and scene.bands == ("0",)
    np.testing.assert_array_equal(scene.image[..., 0], image)


def test_images_that_cannot_be_scenes_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="a.fits: no such file; give a FITS image"):
        read_image_scene(tmp_path / "a.fits")
    write_image(tmp_path / "four.fits", np.zeros((2, 2, 4, 4)))
    with pytest.raises(ValueError, match="four.fits: HDU 0 has 4 axes"):
        read_image_scene(tmp_path / "four.fits")
    write_image(tmp_path / "flat.fits", np.ones((40, 40)))
    with pytest.raises(ValueError, match="flat.fits: no noise in it"):
        read_image_scene(tmp_path / "flat.fits")
    write_image(tmp_path / "two.fits", np.random.default_rng(0).normal(size=(2, 40, 40)))
    with pytest.raises(ValueError, match="two.fits: has 2 bands, 3 names are given"):
        read_image_scene(tmp_path / "two.fits", ("g", "r", "i"))
    with pytest.raises(ValueError, match="two.fits: not the name of a frame of sdss"):
        read_frame_scene(tmp_path / "two.fits", SDSS)


@needs_frames
def test_a_frame_of_sdss_is_read_whole():
    scene = read_frame_scene(FRAMES / "frame-r-003918-3-0213.fits.bz2", SDSS)
    assert scene.image.shape == (1489, 2048, 1) and scene.bands == ("r",)
    # The survey's typical noise; a frame has that of its night.
    assert scene.sigma[0] == pytest.approx(SDSS.sky_sigma[2], rel=0.4)
    assert abs(np.median(scene.image)) < 0.5 * scene.sigma[0]  # sky subtracted


@needs_frames
def test_a_field_of_sdss_has_its_galaxy_in_the_middle_of_all_bands(tmp_path):
    for band in "gr":
        name = f"frame-{band}-004510-4-0030.fits.bz2"
        (tmp_path / name).symlink_to(FRAMES / name)
    scene = read_field_scene(tmp_path, SDSS, 200.44824, 36.76827, 96, ("g", "r"))
    assert scene.image.shape == scene.sigma.shape == (96, 96, 2)
    for band in np.moveaxis(scene.image, -1, 0):
        middle = band[38:58, 38:58]
        row, column = np.unravel_index(middle.argmax(), middle.shape)
        assert abs(row - 9.5) < 2.5 and abs(column - 9.5) < 2.5
    corners = scene.image[:16].reshape(-1, 2) / scene.sigma[:16].reshape(-1, 2)
    assert np.all(np.abs(np.subtract(*np.percentile(corners, [84, 16], axis=0)) / 2 - 1) < 0.3)  # the sky's noise
    with pytest.raises(ValueError, match="no frame of band u covers ra 200.44824"):
        read_field_scene(tmp_path, SDSS, 200.44824, 36.76827, 96, ("u", "g"))


def test_the_reference_image_of_sep_is_read_in_spite_of_its_cards():
    path = SHARED_DATA / "sep_frame" / "image.fits"
    if not path.exists():
        pytest.skip("needs sep's reference frame beside the checkout")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scene = read_image_scene(path)
    assert scene.image.shape == (256, 256, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rms = fits.getdata(path.with_name("rms.fits"))
    assert scene.sigma[0] == pytest.approx(np.median(rms), rel=0.15)
