"""Survey frames on disk: names, headers, footprints on the sky, and pixels.

Frames are SDSS corrected frames, `frame-BAND-RUN-CAMCOL-FIELD.fits`, also compressed (.bz2, .gz). Only HDU 0 is used: a
2-D image with a celestial WCS. `frame_rows` reads and checks the header of one file for `frame_index`. A frame whose
pixels are damaged spoils the stamps that it overlaps, no others: `read_frame` and `blank_value` say so.
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
from astropy.utils.exceptions import AstropyWarning

from photoz_morph.stacking.astrometry import celestial_wcs, footprint, local_tan, to_pixels, wcs_cards
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


def frame_name(name, survey):
    """Band and identity that a file name tells, or None if it is not that of a frame of the survey."""
    match = FRAME_NAME.fullmatch(name)
    if match is None or match[1] not in survey.bands:
        return None
    return match[1], "-".join(str(int(number)) for number in match.groups()[1:])


def frame_rows(path, survey):
    """Rows of an index for the images in one file, as far as its header tells.

    Parameters
    ----------
    path : str
        A file for which `frame_name` is not None.
    survey : Survey

    Returns
    -------
    list of dict
        With the columns of `FrameIndex`, except size and time. `radius` is None if the header cannot be read; `error`,
        if there is one, says why the frame can never be used.
    """
    band, identity = frame_name(Path(path).name, survey)
    row = {"band": band, "identity": identity, "path": path, "hdu": 0, "plane": -1, "factor": 1.0, "radius": None}
    header, row["damage"] = _read_header(path)
    if header is not None:
        try:
            wcs = _checked_wcs(path, header, band, survey)
            names = ("crval", "crpix", "cd", "shape", "center", "radius", "is_plain")
            row |= zip(names, footprint(path, wcs, (header["NAXIS2"], header["NAXIS1"])))
        except ValueError as error:
            return [row | {"error": str(error)}]
        row["header"] = "" if row["is_plain"] else wcs_cards(header)
    return [row]


def read_frame(path, hdu=0):
    """Read the pixels of a frame, shape (rows, columns), float32; NaN are kept.

    Parameters
    ----------
    path : path-like
    hdu : int

    Raises
    ------
    ValueError
        If the file is damaged, or no pixel is finite.
    """
    try:
        with _open(path) as stream, warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*truncated")  # only a warning to astropy
            with fits.open(io.BytesIO(stream.read()), memmap=False) as hdus:
                image = np.asarray(hdus[hdu].data, np.float32)
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
        pixels = image[cut_slices(frame, image.shape, ra, dec, side, margin)]
        # Of pixels that are mostly of one value, two that follow each other have it: a test that takes no time.
        flat = pixels.ravel()
        if not (flat[1:] == flat[:-1]).any() and np.isfinite(flat).all():
            continue
        finite = flat[np.isfinite(flat)]
        if len(finite) < FEWEST_PIXELS:
            continue
        middle = np.median(finite)
        if np.count_nonzero(finite == middle) > len(finite) / 2:
            return float(middle)
    return None


def cut_slices(frame, shape, ra, dec, side_arcsec, margin=CUT_MARGIN):
    """Rows and columns of an image of that shape that `cut_frame` takes."""
    x, y = to_pixels(frame, ra, dec)
    pixel_scale = 3600 * np.sqrt(abs(np.linalg.det(frame["cd"])))
    half = side_arcsec / pixel_scale / np.sqrt(2) + margin
    return tuple(
        slice(max(int(position - half), 0), min(max(int(position + half) + 1, 0), n))
        for position, n in zip((y, x), shape)
    )


def cut_frame(frame, image, ra, dec, side_arcsec, margin=CUT_MARGIN):
    """Cut the part of a frame that is needed to resample a square around a position.

    Parameters
    ----------
    frame : dict
        Of a `FrameIndex`.
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
    cut = cut_slices(frame, image.shape, ra, dec, side_arcsec, margin)
    bottom, left = (part.start for part in cut)
    hdu = fits.PrimaryHDU(image[cut])
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


def _checked_wcs(path, header, band, survey):
    """WCS of one frame, after the checks of its header."""
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
    return celestial_wcs(path, header)


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
