"""Survey frames in a folder: index, footprints on the sky, and pixels.

Frames are SDSS corrected frames, `frame-BAND-RUN-CAMCOL-FIELD.fits`, also compressed (.bz2, .gz), anywhere below
the folder. Only HDU 0 is used: a 2-D image with a celestial WCS. `index_frames` reads every header once and refuses
frames that would fail hours later; `overlapping_frames` picks the frames of one stamp. A frame whose pixels are damaged
spoils the stamps that it overlaps, no others: `read_frame` and `blank_value` say so.
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
from tqdm import tqdm

from photoz_morph.stacking.astrometry import (
    celestial_wcs,
    footprint,
    from_tangent_plane,
    local_tan,
    to_pixels,
    unit_vector,
)
from photoz_morph.system.sizes import read_past

FRAME_NAME = re.compile(r"frame-([a-zA-Z]+)-(\d+)-(\d+)-(\d+)\.fits(?:\.bz2|\.gz)?")
# SWarp estimates the noise of a frame (its weight) from the pixels it is given: 80 around a stamp bring that
# within some per cent of the whole frame's. Resampling alone needs 3.
CUT_MARGIN = 80
SPELLINGS = {"nanomaggy": {"nanomaggy", "nanomaggies", "nanomaggys", "nmgy"}}  # unit -> others for it, in lower case
FEWEST_PIXELS = 16  # of which half have one value by chance in no frame
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
        vector `center` and the `radius` [deg] of the circle around it; `wcs`, that of astropy, or None where it is a
        plain TAN WCS as given by the columns before; `damage`, why its pixels cannot be read, or "".
        A frame whose header cannot be read has the footprint of its field in another band.
        `meta["n_ignored"]` counts other files.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist, or has no frame of some band.
    ValueError
        If the header of a frame cannot be read and the folder has no other band of its field to tell where it lies, or
        the frame is twice in the folder, in another band than its name says, in another unit than the survey's, or has
        no WCS that astropy understands.

    Notes
    -----
    A compressed frame whose end is intact has no `damage` here even if damaged inside; `read_frame` then refuses it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give the folder with the frame-*.fits files")
    rows, paths, unplaced, n_ignored = [], {}, [], 0
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
        header, damage = _read_header(path)
        if header is None:
            unplaced.append((name, path, damage))
        else:
            rows.append((*name, str(path), damage, *_checked_footprint(path, header, match[1], survey)))
    for name, path, damage in unplaced:
        # The five bands of a field are images of the same sky.
        same_field = next((row for row in rows if row[1:4] == name[1:]), None)
        if same_field is None:
            raise ValueError(damage)
        rows.append((*name, str(path), damage, *same_field[6:]))
    for band in survey.bands:
        if not any(row[0] == band for row in rows):
            raise FileNotFoundError(
                f"missing band {band}: no frame-{band}-*.fits in {folder} ({len(rows)} frames of other bands, "
                f"{n_ignored} other files); download the frames of all bands {', '.join(survey.bands)}"
            )
    names = ("band", "run", "camcol", "field", "path", "damage", "crval", "crpix", "cd", "shape", "center", "radius")
    *columns, wcs = zip(*rows)
    index = Table(dict(zip(names, columns)), meta={"n_ignored": n_ignored})
    index["wcs"] = np.empty(len(rows), object)  # astropy would take a WCS for an array
    index["wcs"][:] = wcs
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
    direction = unit_vector(ra, dec)
    reach = np.radians(np.asarray(index["radius"]) + half * np.sqrt(2))
    near = np.flatnonzero(np.asarray(index["center"]) @ direction > np.cos(reach))
    # Corners in order, in the tangent plane of the square's centre, where north is up even beside a pole.
    xi, eta = half * np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]])
    corner_ra, corner_dec = from_tangent_plane(xi, eta, ra, dec)
    overlap = [i for i in near if _overlaps(*to_pixels(index[i], corner_ra, corner_dec), index["shape"][i])]
    return index[overlap]


def read_frame(path):
    """Read the pixels of HDU 0 [unit of the survey], shape (rows, columns), float32; NaN are kept.

    Raises
    ------
    ValueError
        If the file is damaged, or no pixel is finite.
    """
    try:
        with _open(path) as stream, warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*truncated")  # only a warning to astropy
            with fits.open(io.BytesIO(stream.read()), memmap=False) as hdus:
                image = np.asarray(hdus[0].data, np.float32)
        if not np.isfinite(image).any():
            raise ValueError("none of its pixels is finite")
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    return image


def blank_value(frame, image, ra, dec, side_arcsec):
    """Value that more than half of the pixels have around a position, in the middle of the stamp or in all of it.

    A detector that is dead delivers one value instead of noise. It would be taken for an empty sky of any weight: the
    noise of a frame is estimated from its pixels.

    Parameters
    ----------
    frame, image, ra, dec, side_arcsec
        As for `cut_frame`.

    Returns
    -------
    float or None
        The value [unit of the survey]; None where there is noise, as there should be.
    """
    for side, margin in ((side_arcsec, CUT_MARGIN), (side_arcsec, 0), (side_arcsec / 4, 0)):
        pixels = cut_frame(frame, image, ra, dec, side, margin).data
        pixels = pixels[np.isfinite(pixels)]
        if len(pixels) < FEWEST_PIXELS:
            continue
        middle = np.median(pixels)
        if np.count_nonzero(pixels == middle) > len(pixels) / 2:
            return float(middle)
    return None


def cut_frame(frame, image, ra, dec, side_arcsec, margin=CUT_MARGIN):
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
    margin : int
        Width of the border [pixel].

    Returns
    -------
    PrimaryHDU
        The pixels, with the WCS as the only header.
    """
    x, y = to_pixels(frame, ra, dec)
    pixel_scale = 3600 * np.sqrt(abs(np.linalg.det(frame["cd"])))
    half = side_arcsec / pixel_scale / np.sqrt(2) + margin
    left, bottom = (max(int(position - half), 0) for position in (x, y))
    hdu = fits.PrimaryHDU(image[bottom : max(int(y + half) + 1, 0), left : max(int(x + half) + 1, 0)])
    crval, crpix, cd, polynomials = frame["crval"], frame["crpix"], frame["cd"], {}
    if frame["wcs"] is not None:
        crval = (ra, dec)
        crpix, cd, polynomials = local_tan(frame, (left, bottom), hdu.shape, ra, dec)
    for axis, (name, corner) in enumerate((("RA---", left), ("DEC--", bottom))):
        hdu.header[f"CTYPE{axis + 1}"] = name + ("TPV" if polynomials else "TAN")
        hdu.header[f"CUNIT{axis + 1}"] = "deg"
        hdu.header[f"CRVAL{axis + 1}"] = crval[axis]
        hdu.header[f"CRPIX{axis + 1}"] = crpix[axis] - corner
        hdu.header[f"CD{axis + 1}_1"], hdu.header[f"CD{axis + 1}_2"] = cd[axis]
    hdu.header.update(polynomials)
    hdu.header["RADESYS"] = "ICRS"
    return hdu


def _checked_footprint(path, header, band, survey):
    """Footprint of one frame, after the checks of its header."""
    if header.get("NAXIS") != 2:
        raise ValueError(f"{path}: HDU 0 has {header.get('NAXIS')} axes, not a 2-D image; download it again")
    if str(header.get("FILTER", band)).strip() != band:
        raise ValueError(
            f"{path}: FILTER in its header is {header['FILTER']}, its name says {band}; rename the file"
        )
    unit = str(header.get("BUNIT", "missing")).strip()
    if not _is_unit(unit, survey.image_unit):
        raise ValueError(
            f"{path}: BUNIT is {unit}, {survey.name} stacks are in {survey.image_unit}; give corrected frames"
        )
    shape = (header["NAXIS2"], header["NAXIS1"])
    return footprint(path, celestial_wcs(path, header), shape)


def _is_unit(text, unit):
    """True if a text is one of the spellings of a unit; an image has it in each pixel."""
    text = re.sub(r"\s*(/|per)\s*pix(el)?$", "", text.lower())
    return text in SPELLINGS.get(unit, {unit.lower()})


def _read_header(path):
    """Header of HDU 0, None if it cannot be read; and what is wrong with the file as far as its end tells, or ""."""
    try:
        with _open(path) as stream, warnings.catch_warnings():
            warnings.filterwarnings("error", message="non-ASCII")
            header = fits.Header.fromfile(stream)
            for keyword in ("NAXIS", "FILTER", "BUNIT", "CTYPE1", "CTYPE2"):
                header.get(keyword)  # a card that cannot be parsed raises here
            n_bytes = abs(header["BITPIX"]) // 8 * header.get("NAXIS1", 0) * header.get("NAXIS2", 0)
            return header, _damage_at_end(path, stream, n_bytes)
    except UNREADABLE as error:
        return None, str(_damaged(path, error))


def _damage_at_end(path, stream, n_bytes):
    """What is wrong with the end of a file, given its stream after the header and the length of the pixels."""
    try:
        if Path(path).suffix != ".bz2":
            if read_past(stream, n_bytes) < n_bytes:
                raise EOFError("its pixels are cut short")
            return ""
        # Decompressing all of a bzip2 file takes half a second. Its end mark and checksum, which need not begin at
        # a byte, fill the last 80 bits before up to 7 bits of padding.
        with open(path, "rb") as file:
            file.seek(-11, io.SEEK_END)
            tail = int.from_bytes(file.read(), "big")
        if not any((tail >> (32 + shift)) % 2**48 == 0x177245385090 for shift in range(8)):
            raise EOFError("the end of the bzip2 stream is missing")
    except UNREADABLE as error:
        return str(_damaged(path, error))
    return ""


def _open(path):
    """Uncompressed byte stream of a frame."""
    return {".bz2": bz2.open, ".gz": gzip.open}.get(Path(path).suffix, open)(path, "rb")


def _damaged(path, error):
    """Error for a file that cannot be read to its end."""
    return ValueError(f"{path}: truncated or damaged frame ({_first_line(error)}); download it again")


def _first_line(error):
    """First line of an error, or its type."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


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
