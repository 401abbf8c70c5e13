import bz2
import copy
import gzip
import io
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from photoz_morph.stacking.frame_format import images_in, images_of
from photoz_morph.stacking.frame_headers import read_headers
from photoz_morph.stacking.frame_names import match_name
from photoz_morph.surveys import SDSS, SURVEYS, Survey, get_survey, survey_from_dict
from tests.support.frames import frame_header
from tests.support.paths import DATA
from tests.support.surveys import DESCRIPTION, THREE_BANDS

FUZZ = settings(max_examples=50, deadline=None, derandomize=True)


def survey_with(**frames):
    """The survey of three bands with other frames; None takes a key out."""
    values = copy.deepcopy(DESCRIPTION)
    values["frames"] = {key: value for key, value in (values["frames"] | frames).items() if value is not None}
    return survey_from_dict(values)


def write(path, header=(), shape=(20, 30), hdu=0, **cards):
    """An image in an HDU of a file, with a celestial WCS."""
    image = np.zeros(shape, np.float32)
    header = fits.Header({**frame_header(10.0, 20.0, shape=shape[-2:]), **dict(header), **cards})
    del header["BUNIT"]
    if "BUNIT" in cards:
        header["BUNIT"] = cards["BUNIT"]
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU() for _ in range(hdu - 1))][: max(hdu, 0)]
    hdus.append((fits.ImageHDU if hdu else fits.PrimaryHDU)(image, header))
    fits.HDUList(hdus).writeto(path)
    return path


def test_real_frames_are_images_of_their_band_in_nanomaggies():
    for path in sorted((DATA / "frames").iterdir()):
        (image,) = images_in(path, SDSS)
        _, band, *key = path.name.split(".")[0].split("-")
        assert (image.band, image.hdu, image.plane, image.factor) == (band, 0, None, 1.0)
        assert image.parts == tuple(key)
        with fits.open(path) as hdus:
            assert image.shape == hdus[0].data.shape
            np.testing.assert_array_equal(WCS(image.header).wcs.crval, WCS(hdus[0].header).wcs.crval)


@pytest.mark.parametrize(
    "name, survey, band",
    [
        ("frame-r-003918-3-0213.fits.bz2", "sdss", "r"),
        ("frame-y-003918-3-0213.fits", "sdss", None),
        ("frame-r-003918-3-0213.jpg", "sdss", None),
        ("legacysurvey-1501p022-image-z.fits.fz", "legacy", "z"),
        ("legacysurvey-1501p022-invvar-z.fits.fz", "legacy", None),
        ("rings.v3.skycell.1495.051.stk.y.unconv.fits", "panstarrs", "y"),
        ("cutout_rings.v3.skycell.1495.051.stk.g.unconv.fits", "panstarrs", "g"),
        ("rings.v3.skycell.1495.051.stk.g.unconv.mask.fits", "panstarrs", None),
        ("calexp-HSC-I2-9813-4,4.fits", "hsc", "i"),
        ("cutout-HSC-Y-9813-pdr2_wide-150.1-2.2.fits", "hsc", "y"),
        ("calexp-HSC-NB0816-9813-4,4.fits", "hsc", None),
        ("deepCoadd_calexp_9813_24_u_hsc_rings_v1.fits", "lsst_coadd", "u"),
    ],
)
def test_bands_are_read_off_the_names_of_each_survey(name, survey, band):
    found = match_name(name, get_survey(survey))
    assert (found and found.band) == band


def test_a_frame_is_scaled_by_its_own_zero_point(tmp_path):
    factors = {}
    for zero_point in (27.0, 24.5, "29.5"):
        path = write(tmp_path / f"tiny_V_{zero_point}.fits", FILTER="V", MAGZERO=zero_point)
        (image,) = images_in(path, THREE_BANDS)
        factors[str(zero_point)] = image.factor
    # A star of 20 mag has 10^(0.4 (27 - 20)) counts in the survey's unit, whatever the frame.
    star = {name: factor * 10 ** (0.4 * (float(name) - 20)) for name, factor in factors.items()}
    np.testing.assert_allclose(list(star.values()), 10 ** (0.4 * 7))


def test_counts_are_divided_by_the_exposure(tmp_path):
    survey = survey_with(zero_point_keyword=None, zero_point=25.0, exposure_keyword="EXPTIME")
    (image,) = images_in(write(tmp_path / "tiny_V_1.fits", EXPTIME=100.0), survey)
    # One count in 100 s: 25 + 2.5 log10(100) = 30 mag, and the survey's unit has 27.
    np.testing.assert_allclose(image.factor, 10 ** (-0.4 * 3))


def test_units_of_flux_are_converted(tmp_path):
    values = copy.deepcopy(DESCRIPTION) | {"image_unit": "nJy", "zero_point": 31.4}
    values["frames"] = {"file_name": "tiny_{band}_{field}.fits", "unit": "nanomaggy"}
    (image,) = images_in(write(tmp_path / "tiny_V_1.fits", BUNIT="nanomaggies / pixel"), survey_from_dict(values))
    np.testing.assert_allclose(image.factor, 3631, rtol=1e-3)  # nJy in a nanomaggy; the zero points are rounded


def test_the_planes_of_a_cutout_are_bands(tmp_path):
    legacy = get_survey("legacy")
    third = {"CTYPE3": "BANDS", "CRPIX3": 1.0, "CD3_3": 1.0, "CRVAL3": 0.0}
    for number, (listed, planes) in enumerate(
        [("grz", [0, 1, 2]), ("z,i,g", [0, 2]), ("r i z", [0, 2]), ("griz", [0, 1, 3])]
    ):
        n_planes = len(listed.replace(",", "").replace(" ", ""))
        path = write(tmp_path / f"cutout_{number}.fits", third, (n_planes, 20, 30), BANDS=listed)
        images = images_in(path, legacy)
        assert [(image.plane, image.band) for image in images] == [
            (plane, listed.replace(",", "").replace(" ", "")[plane]) for plane in planes
        ]
        for image in images:
            assert image.shape == (20, 30) and WCS(image.header).naxis == 2 and WCS(image.header).has_celestial
            assert image.factor == 1.0


def test_an_image_compressed_in_tiles_is_the_same_image(tmp_path):
    image = np.random.default_rng(0).normal(size=(40, 60)).astype(np.float32)
    header = fits.Header({**frame_header(10.0, 20.0, shape=(40, 60)), "ZP": 25.5})
    path = tmp_path / "legacysurvey-0100p200-image-r.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image, header)]).writeto(path)
    (found,) = images_in(path, get_survey("legacy"))
    assert (found.hdu, found.band, found.shape) == (1, "r", (40, 60))
    assert found.header["ZP"] == 25.5 and "ZIMAGE" not in found.header
    np.testing.assert_allclose(WCS(found.header).all_pix2world([[3, 4]], 0), WCS(header).all_pix2world([[3, 4]], 0))


@pytest.mark.parametrize("hdu, number", [(2, 2), ("SCI", 2), (None, 2)])
def test_the_image_is_found_in_its_hdu_and_cards_in_the_first_one_too(tmp_path, hdu, number):
    path = write(tmp_path / "tiny_R_1.fits", hdu=2, EXTNAME="SCI")
    fits.setval(path, "MAGZERO", value=27.0)
    fits.setval(path, "FILTER", value="R")
    survey = survey_with(hdu=hdu)
    assert [(image.hdu, image.factor) for image in images_in(path, survey)] == [(number, 1.0)]
    for compress, suffix in ((bz2.compress, ".bz2"), (gzip.compress, ".gz")):
        packed = path.with_name(path.name + suffix)
        packed.write_bytes(compress(path.read_bytes()))
        assert [image.hdu for image in images_in(packed, survey)] == [number]


def test_the_band_is_read_from_a_keyword_where_names_do_not_tell_it(tmp_path):
    survey = survey_with(file_name=None, bands={"V": ["V Bessel", "Vj"], "R": "Rc"})
    for number, (written, band) in enumerate((("Vj", "V"), ("V Bessel", "V"), ("Rc", "R"), ("B", "B"), ("I", None))):
        path = write(tmp_path / f"{number}.fits", FILTER=written, MAGZERO=27.0)
        assert [image.band for image in images_in(path, survey)] == [band] * (band is not None)


@pytest.mark.parametrize(
    "cards, frames, message",
    [
        ({"FILTER": "B"}, {}, "FILTER in its header is B, its name says V; rename the file"),
        ({}, {"zero_point_keyword": "ZP"}, "no ZP in its header, which is to be the AB magnitude of a count"),
        ({"MAGZERO": "high"}, {}, "MAGZERO is 'high', which is to be the AB magnitude"),
        ({"MAGZERO": 1e4}, {}, "its zero point 10000 cannot be that of an image"),
        ({"BUNIT": "nJy"}, {}, "BUNIT is nJy, of zero point 31.4, but MAGZERO says 27; give `frames.unit: nJy`"),
        ({"EXPTIME": 0.0}, {"exposure_keyword": "EXPTIME"}, "EXPTIME is 0, an exposure takes longer"),
        ({}, {"unit": "count", "zero_point_keyword": None}, "BUNIT is missing, tiny stacks are in count"),
        ({"BUNIT": "adu"}, {"unit": "count", "zero_point_keyword": None}, "BUNIT is adu, tiny stacks are in count"),
        ({"BSOFTEN": 1.0, "BOFFSET": 0.0}, {}, r"its pixels are asinh-scaled \(BSOFTEN, BOFFSET\)"),
        ({}, {"hdu": 3}, "has no HDU 3 among its 1; correct `frames.hdu`"),
        ({}, {"hdu": "SCI"}, "has no HDU SCI among its 1"),
    ],
)
def test_a_header_that_contradicts_the_description_is_named(tmp_path, cards, frames, message):
    path = write(tmp_path / "tiny_V_1.fits", **{"MAGZERO": 27.0, **cards})
    with pytest.raises(ValueError, match=message) as caught:
        images_in(path, survey_with(**frames))
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "shape, cards, message",
    [
        ((3, 20, 30), {}, "has 3 planes, but no BANDS in its header that names their bands"),
        ((3, 20, 30), {"BANDS": "VR"}, "BANDS is 'VR', its image has 3 planes"),
        ((3, 20, 30), {"BANDS": "V,V,R"}, "BANDS is 'V,V,R', with band V twice"),
        ((2, 3, 20, 30), {"BANDS": "VRB"}, "HDU 0 has 4 axes, not a 2-D image"),
        ((30,), {}, "HDU 0 has 1 axes, not a 2-D image"),
    ],
)
def test_an_image_of_other_axes_is_named(tmp_path, shape, cards, message):
    path = tmp_path / "tiny_V_1.fits"
    fits.writeto(path, np.zeros(shape, np.float32), fits.Header({"MAGZERO": 27.0, **cards}))
    with pytest.raises(ValueError, match=message):
        images_in(path, survey_with(cube_keyword="BANDS", hdu=0))


def test_a_survey_that_says_nothing_of_its_images_is_refused(tmp_path):
    values = {key: value for key, value in DESCRIPTION.items() if key != "frames"}
    with pytest.raises(ValueError, match="survey tiny: its description has no `frames`"):
        images_in(tmp_path / "tiny_V_1.fits", survey_from_dict(values))


@pytest.mark.parametrize("survey", [one for one in SURVEYS.values() if isinstance(one, Survey)], ids=lambda s: s.name)
def test_no_name_takes_long_to_match(survey):
    for name in ("a" * 255, "-" * 255, "frame-" * 40 + "r", "deepoadd_" * 28, "cutout" * 42, "rings.v.skycell." * 15):
        assert match_name(name, survey) is None


@FUZZ
@example(b"\x00", 410)  # in the card of the zero point, after its value
@given(st.binary(max_size=200), st.integers(0, 3000))
def test_a_damaged_file_is_an_error_of_one_line_or_an_image(tmp_path_factory, noise, place):
    path = tmp_path_factory.getbasetemp() / "tiny_V_1.fits"
    stream = io.BytesIO()
    fits.PrimaryHDU(np.zeros((4, 5), np.float32), fits.Header({"MAGZERO": 27.0, "FILTER": "V"})).writeto(stream)
    content = stream.getvalue()
    path.write_bytes(content[:place] + noise + content[place + len(noise) :])
    check_images_or_one_line(path, THREE_BANDS)


KEYWORDS = "FILTER MAGZERO EXPTIME BUNIT BANDS NAXIS NAXIS1 NAXIS3 BITPIX EXTNAME XTENSION ZIMAGE ZNAXIS".split()
CARD_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False),
    st.text("abVRB ,.'-", max_size=20),
)  # fmt: skip


@FUZZ
@given(st.dictionaries(st.sampled_from(KEYWORDS), CARD_VALUES))
def test_any_header_is_an_error_of_one_line_or_an_image(cards):
    header = fits.Header({"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": 5, "NAXIS2": 4})
    header.update(cards)
    survey = survey_with(cube_keyword="BANDS", exposure_keyword="EXPTIME")
    try:
        images = images_of("tiny_V_1.fits", [header], survey)
    except ValueError as error:
        assert str(error).startswith("tiny_V_1.fits: ") and "\n" not in str(error)
    else:
        assert all(np.isfinite(image.factor) and image.band in survey.bands for image in images)


def test_headers_of_a_truncated_file_are_refused_and_the_file_named(tmp_path):
    path = write(tmp_path / "tiny_V_1.fits", hdu=2, MAGZERO=27.0, FILTER="V")
    content = path.read_bytes()
    for length in (0, 10, 2879, 2880, 2881, 4000):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="tiny_V_1.fits: (truncated or damaged frame|has no HDU)"):
            images_in(path, THREE_BANDS)


def test_the_real_frames_are_read_without_their_pixels(tmp_path):
    path = tmp_path / "frame-r-003918-3-0213.fits"
    with gzip.open(DATA / "frames" / f"{path.name}.gz") as packed, open(path, "wb") as plain:
        shutil.copyfileobj(packed, plain)
    headers = read_headers(path, 0)
    path.write_bytes(path.read_bytes()[: 2880 * 12])
    assert read_headers(path, 0)[0] == headers[0]


def check_images_or_one_line(path, survey):
    try:
        images = images_in(path, survey)
    except ValueError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    else:
        assert all(image.band == "V" and np.isfinite(image.factor) for image in images)
