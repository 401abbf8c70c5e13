"""Headers of frames as people have them: used, at the position that astropy gives, or refused, never half."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import gaussian_filter, map_coordinates

from photoz_morph.stacking.astrometry import to_pixels
from photoz_morph.stacking.frame_index import index_frames, overlapping_frames
from photoz_morph.stacking.stamps import stack_band
from photoz_morph.surveys import SDSS
from tests.support.frames import PROGRAM, R_ONLY, SIDE_ARCSEC, frame_header, swarp_test, write_frame

RA, DEC = 150.0, 20.0
SIP = {
    "A_ORDER": 3, "B_ORDER": 2, "A_2_0": 3e-5, "A_0_2": -2e-5, "A_1_1": 1e-5, "A_3_0": 5e-8,
    "B_2_0": 2e-5, "B_1_1": -3e-5,
}  # fmt: skip
PV = {"PV1_0": 1e-3, "PV1_1": 1.01, "PV1_2": 2e-3, "PV1_4": 0.05, "PV2_0": -5e-4, "PV2_1": 0.99, "PV2_4": -0.03}


def swapped(header):
    """The same WCS with declination on the first axis."""
    changed = {"CTYPE1": header["CTYPE2"], "CTYPE2": header["CTYPE1"]}
    changed |= {"CRVAL1": header["CRVAL2"], "CRVAL2": header["CRVAL1"]}
    return changed | {f"CD{i}_{j}": header[f"CD{3 - i}_{j}"] for i in (1, 2) for j in (1, 2)}


def b1950(header):
    """The same place in the coordinates of 1950."""
    old = SkyCoord(header["CRVAL1"], header["CRVAL2"], unit="deg").transform_to("fk4")
    return {"RADESYS": "FK4", "EQUINOX": 1950.0, "CRVAL1": old.ra.deg, "CRVAL2": old.dec.deg}


def galactic(header):
    place = SkyCoord(header["CRVAL1"], header["CRVAL2"], unit="deg").galactic
    return {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN", "CRVAL1": place.l.deg, "CRVAL2": place.b.deg}


VARIANTS = {
    "plain": lambda header: {},
    "SIP": lambda header: {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", **SIP},
    "TPV": lambda header: {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", **PV},
    "PV of SCAMP": lambda header: {**PV, "PV1_7": 0.1},
    "rotated pole": lambda header: {"LONPOLE": 90.0},
    "FK4": b1950,
    "FK5 of 1975": lambda header: {"RADESYS": "FK5", "EQUINOX": 1975.0},
    "galactic": galactic,
    "swapped axes": swapped,
    "another projection": lambda header: {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "CRVAL2": 0.0},
}


def frame_at(header, change):
    """Header with a change, its reference pixel moved such that (RA, DEC) is near the middle of 300 x 360 pixels."""
    header = fits.Header({**header, **change(header)})
    wcs = WCS(header)
    x, y = wcs.world_to_pixel(SkyCoord(RA, DEC, unit="deg"))
    header["CRPIX1"] += 183.3 - float(x)
    header["CRPIX2"] += 147.7 - float(y)
    return header


def test_pixel_coordinates_agree_with_astropy(tmp_path):
    for run, (ra, dec) in enumerate([(10.0, 5.0), (0.01, -60.0), (123.0, 89.95)], start=1):
        write_frame(
            tmp_path, np.zeros((100, 150)), frame_header(ra, dec, 25.0, (100, 150), offset=(9, 4)), run=run
        )
    for frame in index_frames(tmp_path, R_ONLY):
        x, y = np.random.default_rng(1).uniform(-100, 250, (2, 20))
        ra, dec = WCS(fits.getheader(frame["path"])).all_pix2world(x, y, 0)
        np.testing.assert_allclose(to_pixels(frame, ra, dec), [x, y], atol=1e-6)


@swarp_test
@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_stack_has_the_pixels_that_lie_there_according_to_astropy(tmp_path, variant):
    header = frame_at(frame_header(RA - 0.01, DEC + 0.02, 33.0, (300, 360), pixel_scale=0.4), VARIANTS[variant])
    image = gaussian_filter(np.random.default_rng(1).normal(size=(300, 360)), 3)
    image /= image.std()
    write_frame(tmp_path, image, header)
    index = index_frames(tmp_path, R_ONLY)
    assert variant != "plain" or index[0]["wcs"] is None
    frames = overlapping_frames(index, RA, DEC, SIDE_ARCSEC)
    stamp, weight, n_frames = stack_band(frames, RA, DEC, SDSS, swarp=PROGRAM)
    assert n_frames == 1 and (weight > 0).all()
    columns, rows = np.meshgrid(np.arange(64), np.arange(64))
    sky = WCS(frame_header(RA, DEC, shape=(64, 64))).pixel_to_world(columns, rows)
    x, y = WCS(header).world_to_pixel(sky)
    # Solid angle of a pixel of the frame in the middle of the stamp.
    (x0, x1, x2), (y0, y1, y2) = (position[[32, 32, 33], [32, 33, 32]] for position in (x, y))
    area = abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0))
    expected = area * map_coordinates(image, [y, x], order=5)
    # The slope is 0.3 a pixel: 0.03 is a tenth of a pixel, and what the header changes is ten times as much.
    np.testing.assert_allclose(stamp, expected, atol=0.02)
    np.testing.assert_allclose(to_pixels(index[0], RA, DEC), [183.3, 147.7], atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (SIP, "has the terms of a SIP distortion, but CTYPE is RA---TAN, DEC--TAN; write -SIP behind these if"),
        (PV, "has PV terms, which are no distortion where CTYPE is RA---TAN, DEC--TAN; write RA---TPV, DEC--TPV if"),
        ({"CTYPE2": "RA---TAN"}, "no celestial WCS .*; solve its astrometry or download it again"),
        ({"RADESYS": "GAPPT"}, "its WCS gives no positions .*; solve its astrometry"),
        ({"CD1_1": 1e-4, "CD1_2": 1e-4, "CD2_1": 1e-4, "CD2_2": 1e-4}, "its WCS has a pixel of no area"),
    ],
)
def test_a_wcs_that_is_ambiguous_or_none_is_refused_in_one_line(tmp_path, change, message):
    path = write_frame(tmp_path, np.zeros((150, 150)), fits.Header({**frame_header(RA, DEC), **change}))
    with pytest.raises(ValueError, match=message) as error:
        index_frames(tmp_path, R_ONLY)
    assert "\n" not in str(error.value) and path.name in str(error.value)


def test_a_distortion_that_swarp_cannot_be_told_is_refused_in_one_line(tmp_path):
    sip = {"A_ORDER": 5, "B_ORDER": 5, "A_5_0": 3e-11, "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"}
    header = frame_at(frame_header(RA, DEC, shape=(300, 360)), lambda _: sip)
    write_frame(tmp_path, np.zeros((300, 360)), header)
    with pytest.raises(ValueError, match="its WCS bends too much for SWarp, by .* pixels beyond the third order"):
        stack_band(index_frames(tmp_path, R_ONLY), RA, DEC, SDSS, swarp=PROGRAM)
