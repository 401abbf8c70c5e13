"""Survey frames in a folder: index, footprints on the sky, and pixels.

Frames are SDSS corrected frames, `frame-BAND-RUN-CAMCOL-FIELD.fits`, also compressed (.bz2, .gz), anywhere below
the folder. Only HDU 0 is used: a 2-D image with a TAN WCS. `index_frames` reads every header once and refuses frames
that would fail hours later; `overlapping_frames` picks the frames of one stamp.
"""

import bz2
import gzip
import io
import re
import warnings
import zlib
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS, FITSFixedWarning
from tqdm import tqdm

from photoz_morph.system.sizes import read_past

FRAME_NAME = re.compile(r"frame-([a-zA-Z]+)-(\d+)-(\d+)-(\d+)\.fits(?:\.bz2|\.gz)?")
# SWarp estimates the noise of a frame (its weight) from the pixels it is given: 80 around a stamp bring that
# within some per cent of the whole frame's. Resampling alone needs 3.
CUT_MARGIN = 80
UNREADABLE = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, zlib.error, fits.VerifyError,
    AstropyWarning,
)  # fmt: skip


def index_frames(folder, survey, progress=False):
    """Table of all frames below a folder, checked by their headers.

    Parameters
    ----------
    folder : path-like
    survey : Survey
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Table
        One row per frame: `band`, `run`, `camcol`, `field`, `path`; the footprint, which is the WCS (`crval`
        [deg], `crpix`, `cd` [deg / pixel]) and the image's `shape` (rows, columns); the image centre as a unit
        vector `center` and the `radius` [deg] of the circle around it. `meta["n_ignored"]` counts other files.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist, or has no frame of some band.
    ValueError
        If a frame is truncated, twice in the folder, in another band than its name says, in another unit than the
        survey's, or has no TAN WCS.

    Notes
    -----
    A compressed frame whose end is intact passes here even if damaged inside; `read_frame` then refuses it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give the folder with the frame-*.fits files")
    rows, paths, n_ignored = [], {}, 0
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in tqdm(files, desc="index frames", unit="frame", disable=not progress):
        match = FRAME_NAME.fullmatch(path.name)
        if match is None or match[1] not in survey.bands:
            n_ignored += 1
            continue
        name = (match[1], *map(int, match.groups()[1:]))
        if name in paths:
            raise ValueError(f"{path}: the same frame is also in {paths[name]}; keep one, or it would count twice")
        paths[name] = path
        rows.append((*name, str(path), *_footprint(path, match[1], survey)))
    for band in survey.bands:
        if not any(row[0] == band for row in rows):
            raise FileNotFoundError(
                f"missing band {band}: no frame-{band}-*.fits in {folder} ({len(rows)} frames of other bands, "
                f"{n_ignored} other files); download the frames of all bands {', '.join(survey.bands)}"
            )
    names = ("band", "run", "camcol", "field", "path", "crval", "crpix", "cd", "shape", "center", "radius")
    index = Table(rows=rows, names=names, meta={"n_ignored": n_ignored})
    index.sort(["band", "run", "camcol", "field"])
    return index


def overlapping_frames(index, ra, dec, size_arcsec):
    """Rows of the frames that overlap a north-up square on the sky.

    Parameters
    ----------
    index : Table
        From `index_frames`.
    ra, dec : float
        Centre of the square [deg].
    size_arcsec : float
        Its side [arcsec].

    Returns
    -------
    Table
        The rows, in the order of the index.
    """
    half = size_arcsec / 7200  # deg
    direction = _unit_vector(ra, dec)
    reach = np.radians(np.asarray(index["radius"]) + half * np.sqrt(2))
    near = np.flatnonzero(np.asarray(index["center"]) @ direction > np.cos(reach))
    # Corners in order, in the tangent plane of the square's centre, where north is up even beside a pole.
    xi, eta = half * np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]])
    corner_ra, corner_dec = _from_tangent_plane(xi, eta, ra, dec)
    overlap = [i for i in near if _overlaps(*to_pixels(index[i], corner_ra, corner_dec), index["shape"][i])]
    return index[overlap]


def to_pixels(frame, ra, dec):
    """Pixel coordinates of sky positions in a frame, counted from 0 at the centre of the first pixel.

    Parameters
    ----------
    frame : Row
        Of `index_frames`.
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
    ra0, dec0 = np.radians(frame["crval"])
    ra, dec = np.radians(ra), np.radians(dec)
    cos_distance = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(ra - ra0)
    xi = np.cos(dec) * np.sin(ra - ra0) / cos_distance
    eta = (np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(ra - ra0)) / cos_distance
    x, y = np.linalg.solve(frame["cd"], np.degrees([xi, eta]).reshape(2, -1))
    x0, y0 = frame["crpix"] - 1
    return x.reshape(np.shape(ra)) + x0, y.reshape(np.shape(ra)) + y0


def read_frame(path):
    """Read the pixels of HDU 0 [unit of the survey], shape (rows, columns), float32; NaN are kept.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    try:
        with _open(path) as stream, fits.open(io.BytesIO(stream.read()), memmap=False) as hdus:
            return np.asarray(hdus[0].data, np.float32)
    except UNREADABLE as error:
        raise _damaged(path, error) from error


def cut_frame(frame, image, ra, dec, side_arcsec):
    """Cut the part of a frame that is needed to resample a square around a position.

    Parameters
    ----------
    frame : Row
        Of `index_frames`.
    image : ndarray, shape (rows, columns)
        The pixels of the whole frame.
    ra, dec : float
        Centre of the square [deg].
    side_arcsec : float
        Its side [arcsec].

    Returns
    -------
    PrimaryHDU
        The pixels, with the WCS as the only header.
    """
    x, y = to_pixels(frame, ra, dec)
    pixel_scale = 3600 * np.sqrt(abs(np.linalg.det(frame["cd"])))
    half = side_arcsec / pixel_scale / np.sqrt(2) + CUT_MARGIN
    left, bottom = (max(int(position - half), 0) for position in (x, y))
    hdu = fits.PrimaryHDU(image[bottom : max(int(y + half) + 1, 0), left : max(int(x + half) + 1, 0)])
    for axis, (ctype, corner) in enumerate((("RA---TAN", left), ("DEC--TAN", bottom))):
        hdu.header[f"CTYPE{axis + 1}"] = ctype
        hdu.header[f"CUNIT{axis + 1}"] = "deg"
        hdu.header[f"CRVAL{axis + 1}"] = frame["crval"][axis]
        hdu.header[f"CRPIX{axis + 1}"] = frame["crpix"][axis] - corner
        hdu.header[f"CD{axis + 1}_1"], hdu.header[f"CD{axis + 1}_2"] = frame["cd"][axis]
    hdu.header["RADESYS"] = "ICRS"
    return hdu


def _footprint(path, band, survey):
    """WCS, shape, centre and radius of one frame, after the checks of its header."""
    header = _read_header(path)
    if header.get("NAXIS") != 2:
        raise ValueError(f"{path}: HDU 0 has {header.get('NAXIS')} axes, not a 2-D image; download it again")
    if str(header.get("FILTER", band)).strip() != band:
        raise ValueError(
            f"{path}: FILTER in its header is {header['FILTER']}, its name says {band}; rename the file"
        )
    unit = str(header.get("BUNIT", "missing")).strip()
    if unit != survey.image_unit:
        raise ValueError(
            f"{path}: BUNIT is {unit}, {survey.name} stacks are in {survey.image_unit}; give corrected frames"
        )
    projection = header.get("CTYPE1"), header.get("CTYPE2")
    if projection != ("RA---TAN", "DEC--TAN"):
        raise ValueError(
            f"{path}: no celestial TAN WCS (CTYPE is {projection[0]}, {projection[1]}); solve its astrometry or "
            "download it again"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)  # old spellings in every SDSS header, harmless
        try:
            wcs = WCS(header)
        except UNREADABLE as error:
            raise _damaged(path, error) from error
    shape = (header["NAXIS2"], header["NAXIS1"])
    if not abs(np.linalg.det(wcs.pixel_scale_matrix)) > 0:
        raise ValueError(f"{path}: its WCS has a pixel of no area (CD matrix {wcs.pixel_scale_matrix.tolist()})")
    height, width = shape
    points = wcs.all_pix2world([[width / 2, height / 2], [0, 0], [0, height], [width, 0], [width, height]], 0.5)
    center, *corners = (_unit_vector(ra, dec) for ra, dec in points)
    radius = max(np.degrees(2 * np.arcsin(0.5 * np.linalg.norm(corner - center))) for corner in corners)
    return wcs.wcs.crval, wcs.wcs.crpix, wcs.pixel_scale_matrix, shape, center, radius


def _read_header(path):
    """Header of HDU 0, after a check that the file has its end."""
    try:
        with _open(path) as stream, warnings.catch_warnings():
            warnings.filterwarnings("error", message="non-ASCII")
            header = fits.Header.fromfile(stream)
            for keyword in ("NAXIS", "FILTER", "BUNIT", "CTYPE1", "CTYPE2"):
                header.get(keyword)  # a card that cannot be parsed raises here
            if Path(path).suffix != ".bz2":
                n_bytes = abs(header["BITPIX"]) // 8 * header.get("NAXIS1", 0) * header.get("NAXIS2", 0)
                if read_past(stream, n_bytes) < n_bytes:
                    raise EOFError("its pixels are cut short")
        # Decompressing all of a bzip2 file takes half a second. Its end mark and checksum, which need not begin at
        # a byte, fill the last 80 bits before up to 7 bits of padding.
        if Path(path).suffix == ".bz2":
            with open(path, "rb") as stream:
                stream.seek(-11, io.SEEK_END)
                tail = int.from_bytes(stream.read(), "big")
            if not any((tail >> (32 + shift)) % 2**48 == 0x177245385090 for shift in range(8)):
                raise EOFError("the end of the bzip2 stream is missing")
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    return header


def _open(path):
    """Uncompressed byte stream of a frame."""
    return {".bz2": bz2.open, ".gz": gzip.open}.get(Path(path).suffix, open)(path, "rb")


def _damaged(path, error):
    """Error for a file that cannot be read to its end."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ValueError(f"{path}: truncated or damaged frame ({reason}); download it again")


def _unit_vector(ra, dec):
    """Direction of a position given in degrees, shape (3,)."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def _from_tangent_plane(xi, eta, ra, dec):
    """Positions [deg] of offsets [deg] east and north in the plane that touches the sky at (ra, dec)."""
    xi, eta, ra0, dec0 = (np.radians(angle) for angle in (xi, eta, ra, dec))
    toward_pole = np.cos(dec0) - eta * np.sin(dec0)
    dec = np.arctan2(np.sin(dec0) + eta * np.cos(dec0), np.hypot(xi, toward_pole))
    return np.degrees(ra0 + np.arctan2(xi, toward_pole)) % 360, np.degrees(dec)


def _overlaps(x, y, shape):
    """True if a square, given by its corners in order, overlaps an image of that shape.

    Two convex figures are apart exactly if a line along a side of one of them separates them.
    """
    square = np.stack([x, y], axis=-1)
    image = np.array(
        [[-0.5, -0.5], [shape[1] - 0.5, -0.5], [shape[1] - 0.5, shape[0] - 0.5], [-0.5, shape[0] - 0.5]]
    )
    for side in ([1.0, 0.0], [0.0, 1.0], square[1] - square[0], square[2] - square[1]):
        normal = np.array([-side[1], side[0]])
        if (square @ normal).max() <= (image @ normal).min() or (square @ normal).min() >= (image @ normal).max():
            return False
    return True
