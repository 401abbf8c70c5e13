"""Astrometry of frames: which pixel lies where on the sky, as astropy has it, and as SWarp can be told.

SWarp knows TAN with polynomials (TPV), but no SIP, and neither FK4 nor swapped axes. Therefore it never sees the WCS of
a frame: it is given a TAN WCS in ICRS for each cut, with polynomials where these are needed, that agrees with the
positions of astropy. A plain TAN WCS, that of SDSS, is used as it is, in a few lines that are faster than astropy.
"""

import re
import warnings
from functools import lru_cache

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning, NoConvergence

LARGEST_ERROR = 0.001  # of a position in a TAN WCS without polynomials [pixel]; SWarp itself allows as much
LARGEST_POLYNOMIAL_ERROR = 0.02  # [pixel]
WCS_CARD = re.compile(
    r"WCSAXES|(CTYPE|CRVAL|CRPIX|CDELT|CROTA|CUNIT)\d|(CD|PC)\d+_\d+|PC\d{6}|P[VS]\d+_\d+"
    r"|(A|B|AP|BP)_(\d+_\d+|ORDER|DMAX)|LONPOLE|LATPOLE|RADE(SYS|CSYS)|EQUINOX|EPOCH|MJD-OBS|DATE-OBS|NAXIS\d?"
)
NO_WCS = (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, RuntimeError)  # of astropy


def celestial_wcs(path, header):
    """WCS of a header.

    Parameters
    ----------
    path : path-like
        Named in errors.
    header : Header

    Returns
    -------
    WCS

    Raises
    ------
    ValueError
        If it is not one of two celestial axes, or is ambiguous.
    """
    names = header.get("CTYPE1"), header.get("CTYPE2")
    has_sip = any(re.fullmatch(r"[AB]P?_\d+_\d+", keyword) for keyword in header)
    if has_sip and not all(str(name).endswith("-SIP") for name in names):
        raise ValueError(
            f"{path}: has the terms of a SIP distortion, but CTYPE is {names[0]}, {names[1]}; write -SIP behind these "
            "if its pixels are distorted, else remove the terms A_*, B_*"
        )
    numbers = [int(match[1]) for keyword in header if (match := re.fullmatch(r"PV[12]_(\d+)", keyword))]
    if numbers and max(numbers) < 5 and all(str(name).endswith("-TAN") for name in names):
        raise ValueError(
            f"{path}: has PV terms, which are no distortion where CTYPE is {names[0]}, {names[1]}; write RA---TPV, "
            "DEC--TPV if they are SCAMP's, else remove them"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)  # old spellings in every SDSS header, harmless
        try:
            wcs, reason = WCS(header), ""
            if "LONPOLE" not in header and wcs.wcs.crval[-1] == 90:
                wcs.wcs.lonpole = 180.0  # as SWarp has it; the standard's 0 turns a frame around at the pole itself
        except NO_WCS as error:
            wcs, reason = None, f"; {_last_line(error)}"
    if wcs is None or not wcs.has_celestial or wcs.naxis != 2:
        raise ValueError(
            f"{path}: no celestial WCS (CTYPE is {names[0]}, {names[1]}{reason}); solve its astrometry or download it "
            "again"
        )
    return wcs


def wcs_cards(header):
    """Cards of a header that its WCS depends on, one a line, for `header_wcs`."""
    return "\n".join(card.image for card in header.cards if WCS_CARD.fullmatch(card.keyword))


@lru_cache(maxsize=256)
def header_wcs(path, cards):
    """WCS of the cards kept by `wcs_cards`; one of astropy takes a millisecond, so the last are remembered."""
    return celestial_wcs(path, fits.Header.fromstring(cards, sep="\n"))


def footprint(path, wcs, shape):
    """Place of a frame on the sky.

    Parameters
    ----------
    path : path-like
        Named in errors.
    wcs : WCS
    shape : tuple of int
        Rows and columns.

    Returns
    -------
    crval : ndarray, shape (2,)
        [deg]
    crpix : ndarray, shape (2,)
        [pixel], counted from 1.
    cd : ndarray, shape (2, 2)
        [deg / pixel]
    shape : tuple of int
    center : ndarray, shape (3,)
        Unit vector.
    radius : float
        Of the circle around it [deg].
    is_plain : bool
        Whether the WCS is plain TAN in ICRS as given by `crval`, `crpix` and `cd`.

    Raises
    ------
    ValueError
        If some pixel has no position or no area.
    """
    height, width = shape
    x = width / 2 * np.array([1, 0, 0, 2, 2, 0, 1, 1, 2]) - 0.5  # the middle first
    y = height / 2 * np.array([1, 0, 2, 0, 2, 1, 0, 2, 1]) - 0.5
    crval, crpix, cd = wcs.wcs.crval, wcs.wcs.crpix, wcs.pixel_scale_matrix
    if not abs(np.linalg.det(cd)) > 0:
        raise ValueError(f"{path}: its WCS has a pixel of no area (CD matrix {cd.tolist()})")
    try:
        ra, dec = _positions(wcs, x, y)
        if not np.isfinite([ra, dec]).all():
            raise ValueError("some pixels are not on the sky")
    except NO_WCS as error:
        raise ValueError(f"{path}: its WCS gives no positions ({_last_line(error)}); solve its astrometry") from error
    is_plain = np.allclose(_tan_pixels(crval, crpix, cd, ra, dec), [x, y], rtol=0, atol=LARGEST_ERROR)
    center, *others = (unit_vector(*position) for position in zip(ra, dec))
    radius = max(np.degrees(2 * np.arcsin(0.5 * np.linalg.norm(other - center))) for other in others)
    return crval, crpix, cd, shape, center, radius, is_plain


def to_pixels(frame, ra, dec):
    """Pixel coordinates of sky positions in a frame, counted from 0 at the centre of the first pixel.

    Parameters
    ----------
    frame : dict
        Of a `FrameIndex`.
    ra, dec : ndarray or float
        Positions within 90 deg of the frame [deg].

    Returns
    -------
    x, y : ndarray
        Column and row [pixel].

    Notes
    -----
    Calabretta & Greisen (2002), Sec. 5.1.3; astropy.wcs needs a millisecond to be set up for each frame.
    """
    if frame["wcs"] is not None:
        try:
            return frame["wcs"].world_to_pixel(SkyCoord(ra, dec, unit="deg"))
        except (*NO_WCS, NoConvergence) as error:
            raise ValueError(
                f"{frame['path']}: its WCS gives no pixels ({_last_line(error)}); solve its astrometry, or remove it"
            ) from error
    if np.ndim(ra) == 0:
        x, y, depth = (pixel_matrix(frame) @ unit_vector(ra, dec)).tolist()
        return x / depth, y / depth
    return _tan_pixels(*(frame[name] for name in ("crval", "crpix", "cd")), ra, dec)


def pixel_matrix(frame):
    """Matrix of directions to homogeneous pixel coordinates, from 0, in a plain TAN frame, shape (3, 3).

    Kept with the frame: it takes longer than what is done with it.
    """
    if "pixel_matrix" not in frame:
        to_pixel = np.eye(3)
        to_pixel[:2, :2] = np.degrees(np.linalg.inv(frame["cd"]))
        to_pixel[:2, 2] = frame["crpix"] - 1
        frame["pixel_matrix"] = to_pixel @ tangent_axes(*frame["crval"])
    return frame["pixel_matrix"]


def _tan_pixels(crval, crpix, cd, ra, dec):
    """Pixel coordinates, from 0, of positions [deg] in a plain TAN WCS."""
    ra0, dec0 = np.radians(crval)
    ra, dec = np.radians(ra), np.radians(dec)
    cos_distance = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(ra - ra0)
    xi = np.cos(dec) * np.sin(ra - ra0) / cos_distance
    eta = (np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(ra - ra0)) / cos_distance
    x, y = np.linalg.solve(cd, np.degrees([xi, eta]).reshape(2, -1))
    x0, y0 = np.asarray(crpix) - 1
    return x.reshape(np.shape(ra)) + x0, y.reshape(np.shape(ra)) + y0


def local_tan(frame, corner, shape, ra, dec):
    """TAN WCS that touches the sky at a position and agrees with astropy in a cut of a frame, by polynomials if needed.

    Parameters
    ----------
    frame : dict
        Of a `FrameIndex`, with its `wcs`.
    corner : tuple of int
        Column and row of the first pixel of the cut, from 0.
    shape : tuple of int
        Its rows and columns.
    ra, dec : float
        Position [deg], which becomes CRVAL.

    Returns
    -------
    crpix : tuple of float
        Pixel of the frame, from 1.
    cd : ndarray, shape (2, 2)
        [deg / pixel]
    polynomials : dict of str to float
        PV cards, as SWarp and astropy read them behind the projection TPV; empty where TAN is enough.

    Raises
    ------
    ValueError
        If the third order is not enough.
    """
    x, y = (grid.ravel() for grid in np.meshgrid(
        *(np.linspace(first - 0.5, first + n - 0.5, 9) for first, n in zip(corner, shape[::-1]))
    ))  # fmt: skip
    x0, y0 = (float(position) for position in to_pixels(frame, ra, dec))
    sky = offsets_of_pixels(frame, x, y, ra, dec)
    offsets = np.array([x - x0, y - y0])
    cd = np.linalg.lstsq(offsets.T, sky.T, rcond=None)[0].T
    pixel = np.sqrt(abs(np.linalg.det(cd)))  # [deg]
    if np.abs(cd @ offsets - sky).max() < LARGEST_ERROR * pixel:
        return (x0 + 1, y0 + 1), cd, {}
    # TPV as in Shupe et al. (2012): PV3 would be the radius, and in PV2 the axes change places.
    u, v = cd @ offsets / pixel
    numbers, largest, cards = (0, 1, 2, 4, 5, 6, 7, 8, 9, 10), 0.0, {}
    for axis, (p, q) in enumerate(((u, v), (v, u))):
        terms = np.array([p**0, p, q, p**2, p * q, q**2, p**3, p**2 * q, p * q**2, q**3])
        degree = np.array([0, 1, 1, 2, 2, 2, 3, 3, 3, 3])
        values = np.linalg.lstsq(terms.T, sky[axis] / pixel, rcond=None)[0]
        largest = max(largest, np.abs(values @ terms - sky[axis] / pixel).max())
        cards |= {f"PV{axis + 1}_{n}": value for n, value in zip(numbers, values * pixel ** (1.0 - degree))}
    if largest > LARGEST_POLYNOMIAL_ERROR:
        raise ValueError(
            f"{frame['path']}: its WCS bends too much for SWarp, by {largest:.2f} pixels beyond the third order in "
            f"{max(shape)} pixels; solve its astrometry again, or remove it"
        )
    return (x0 + 1, y0 + 1), cd, cards


def offsets_of_pixels(frame, x, y, ra, dec):
    """Offsets east and north [deg] of pixels, from 0, of a frame in the plane that touches the sky, shape (2, n)."""
    return np.array(_tan_pixels((ra, dec), (1, 1), np.eye(2), *_positions(frame["wcs"], x, y)))


def tangent_axes(ra, dec):
    """Unit vectors east, north and outwards at a position [deg], shape (3, 3)."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.array([
        [-np.sin(ra), np.cos(ra), 0.0],
        [-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)],
        [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)],
    ])  # fmt: skip


def unit_vector(ra, dec):
    """Direction of a position given in degrees, shape (3,) or (3, n)."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def from_tangent_plane(xi, eta, ra, dec):
    """Positions [deg] of offsets [deg] east and north in the plane that touches the sky at (ra, dec)."""
    xi, eta, ra0, dec0 = (np.radians(angle) for angle in (xi, eta, ra, dec))
    toward_pole = np.cos(dec0) - eta * np.sin(dec0)
    dec = np.arctan2(np.sin(dec0) + eta * np.cos(dec0), np.hypot(xi, toward_pole))
    return np.degrees(ra0 + np.arctan2(xi, toward_pole)) % 360, np.degrees(dec)


def _positions(wcs, x, y):
    """Right ascension and declination [deg, ICRS] of pixels counted from 0."""
    sky = wcs.pixel_to_world(x, y).icrs
    return sky.ra.deg, sky.dec.deg


def _last_line(error):
    """Last line of an error of wcslib, whose first one names a line of its code."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1]
