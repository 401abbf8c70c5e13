import numpy as np
import pytest
from astropy.io import fits

from photoz_morph.blend.scenes.files import find_scenes
from photoz_morph.stacking.astrometry import celestial_wcs
from photoz_morph.stacking.frame_headers import read_headers
from photoz_morph.surveys import SDSS
from tests.support.paths import DATA

FRAMES = DATA / "frames"


def write_image(path, shape=(60, 50), **cards):
    image = np.random.default_rng(0).normal(100, 2, shape).astype(np.float32)
    fits.PrimaryHDU(image, fits.Header(cards)).writeto(path)
    return path


def test_frames_of_a_field_are_one_scene_and_other_files_are_their_own(tmp_path):
    write_image(tmp_path / "sky.fits.fz".removesuffix(".fz"))
    np.savez(tmp_path / "blend.npz", images=np.zeros((1, 3, 3)))
    (tmp_path / "notes.txt").touch()
    scenes = find_scenes([tmp_path, *sorted(FRAMES.glob("frame-?-003918*")), FRAMES / "frame-r-004510-4-0030.fits.gz"])
    assert [(scene.name, scene.kind, len(scene.paths)) for scene in scenes] == [
        ("blend", "scarlet", 1), ("field-003918-3-0213", "field", 5), ("frame-r-004510-4-0030", "frame", 1),
        ("sky", "image", 1),
    ]  # fmt: skip
    assert [path.name[6] for path in scenes[1].paths] == list("ugriz")


def test_a_field_has_the_pixels_of_the_survey_and_its_sources_are_where_frames_have_them():
    (files,) = find_scenes(sorted(FRAMES.glob("frame-?-003918*")))
    sky = files.read()
    assert sky.survey == SDSS and sky.scene.bands == SDSS.bands and not sky.has_sky
    assert (sky.unit, sky.pixel_scale) == ("nanomaggy", SDSS.pixel_scale)
    scales = np.abs(np.array(sky.wcs.proj_plane_pixel_scales(), object))
    assert [float(scale.value) * 3600 for scale in scales] == pytest.approx([SDSS.pixel_scale] * 2)
    ra, dec = sky.wcs.all_pix2world([0, 1], [0, 0], 0)
    assert ra[1] < ra[0] and dec[1] == pytest.approx(dec[0], abs=1e-6)  # north up, east left
    good = np.isfinite(sky.scene.sigma).all(axis=-1)
    assert good.any(axis=0).all() and good.any(axis=1).all()  # no rows or columns without a pixel
    path = FRAMES / "frame-r-003918-3-0213.fits.gz"
    frame = fits.getdata(path)
    rows, columns = np.indices(frame.shape)
    ra, dec = celestial_wcs(str(path), read_headers(path)[0]).all_pix2world(columns, rows, 0)
    x, y = sky.wcs.all_world2pix(ra, dec, 0)
    places = [np.clip(np.rint(axis).astype(int), 0, n - 1) for axis, n in zip((y, x), good.shape)]
    is_there = good[tuple(places)] & (np.abs(y - places[0]) < 1) & (np.abs(x - places[1]) < 1)
    peak = np.unravel_index(np.argmax(np.where(is_there, frame, 0)), frame.shape)
    band = np.where(good, sky.scene.image[..., 2], 0)
    found = np.unravel_index(np.argmax(band), band.shape)
    assert np.hypot(found[0] - y[peak], found[1] - x[peak]) < 1.5
    assert band.max() == pytest.approx(frame[peak], rel=0.2)  # resampled


def test_a_field_may_have_fewer_bands():
    (files,) = find_scenes(sorted(FRAMES.glob("frame-[gri]-003918*")))
    sky = files.read()
    assert sky.scene.bands == sky.survey.bands == ("g", "r", "i") and sky.scene.image.shape[-1] == 3


def test_an_image_keeps_its_pixels_and_its_wcs(tmp_path):
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 30.0, "CRVAL2": 5.0, "CRPIX1": 25.5, "CRPIX2": 30.5,
             "CDELT1": -1e-4, "CDELT2": 1e-4}  # fmt: skip
    (files,) = find_scenes([write_image(tmp_path / "a.fits", **cards)])
    sky = files.read(("R",))
    assert sky.scene.bands == ("R",) and sky.has_sky and sky.survey is None
    assert [float(value) for value in sky.wcs.all_pix2world(24.5, 29.5, 0)] == pytest.approx([30, 5])
    (files,) = find_scenes([write_image(tmp_path / "b.fits")])
    assert files.read().wcs is None


def test_a_single_frame_keeps_its_pixels():
    path = FRAMES / "frame-r-003918-3-0213.fits.gz"
    (files,) = find_scenes([path])
    sky = files.read()
    assert sky.scene.bands == ("r",) and sky.survey.bands == ("r",)
    np.testing.assert_array_equal(sky.scene.image[..., 0], fits.getdata(path))


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such file; give frames of SDSS"):
        find_scenes([tmp_path / "nowhere"])
    with pytest.raises(FileNotFoundError, match="no FITS image and no .npz in it"):
        find_scenes([tmp_path])
    (tmp_path / "a.txt").touch()
    with pytest.raises(ValueError, match="a.txt: neither FITS nor .npz by its name"):
        find_scenes([tmp_path / "a.txt"])
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_image(tmp_path / folder / "a.fits")
    with pytest.raises(ValueError, match="two/a.fits: has the name of .*one/a.fits; rename it"):
        find_scenes([tmp_path / "one", tmp_path / "two"])
    frame = FRAMES / "frame-r-003918-3-0213.fits.gz"
    with pytest.raises(ValueError, match="the frame is there twice"):
        find_scenes([frame, frame])


def test_an_image_has_the_unit_and_the_pixels_that_its_header_says(tmp_path):
    wcs = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 30.0, "CRVAL2": 60.0, "CRPIX1": 9.0, "CRPIX2": 9.0,
           "CDELT1": -5e-5, "CDELT2": 5e-5}  # fmt: skip
    for name, cards, unit, scale in (
        ("card", {"BUNIT": "nJy", "PIXSCALE": 0.2}, "nJy", 0.2), ("wcs", wcs | {"PIXSCALE": 9.0}, "", 0.18),
        ("silent", {}, "", None),
    ):  # fmt: skip
        (files,) = find_scenes([write_image(tmp_path / f"{name}.fits", **cards)])
        sky = files.read()
        assert sky.unit == unit and sky.pixel_scale == (scale and pytest.approx(scale, rel=1e-6)) and sky.has_sky
