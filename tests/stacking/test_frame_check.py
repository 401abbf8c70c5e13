import shutil

import numpy as np
import pytest
from astropy.io import fits

from photoz_morph.stacking.frame_check import check_frames
from photoz_morph.surveys import SDSS
from tests.support.frames import frame_header
from tests.support.paths import DATA
from tests.support.surveys import THREE_BANDS


def test_the_headers_of_real_frames_agree_with_sdss():
    found = check_frames([DATA / "frames"], SDSS)
    assert not found.problems and found.n_ignored == 0
    assert [len(found.of_band(band)) for band in SDSS.bands] == [2] * 5
    for image in found.images:
        assert (image.unit, image.zero_point) == ("nanomaggy", 22.5)
        assert abs(image.pixel_scale - SDSS.pixel_scale) < 5e-4


def test_scale_and_zero_point_are_those_of_each_header(tmp_path):
    header = fits.Header({**frame_header(5.0, -20.0, pixel_scale=0.55, shape=(30, 40)), "FILTER": "R", "MAGZERO": 25.3})
    del header["BUNIT"]
    fits.writeto(tmp_path / "tiny_R_1.fits", np.zeros((30, 40), np.float32), header)
    (tmp_path / "notes.txt").touch()
    found = check_frames([tmp_path], THREE_BANDS)
    (image,) = found.images
    assert (image.band, image.shape, image.unit, found.n_ignored) == ("R", (30, 40), "", 1)
    np.testing.assert_allclose([image.pixel_scale, image.zero_point], [0.55, 25.3])


def test_what_contradicts_the_description_is_listed_and_the_rest_goes_on(tmp_path):
    header = fits.Header({**frame_header(5.0, -20.0), "FILTER": "R", "MAGZERO": 25.0})
    del header["BUNIT"]
    for name, changes in (("tiny_R_1", {}), ("tiny_R_2", {"FILTER": "V"}), ("tiny_R_3", {"CTYPE1": "X"})):
        fits.writeto(tmp_path / f"{name}.fits", np.zeros((9, 9), np.float32), fits.Header({**header, **changes}))
    (tmp_path / "tiny_V_1.fits").write_bytes(b"nothing")
    found = check_frames([tmp_path], THREE_BANDS)
    assert [image.path.name for image in found.images] == ["tiny_R_1.fits"]
    texts = "its name says R; rename the file", "no celestial WCS", "truncated or damaged frame"
    for problem, text in zip(found.problems, texts, strict=True):
        assert text in problem and "\n" not in problem


def test_a_place_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such file or folder; give images"):
        check_frames([tmp_path / "nowhere"], SDSS)


def test_single_files_are_taken_too(tmp_path):
    name = "frame-r-003918-3-0213.fits.gz"
    shutil.copy(DATA / "frames" / name, tmp_path)
    assert len(check_frames([tmp_path / name], SDSS).images) == 1
