"""Survey frames on disk: their rows in an index, their pixels, and cuts of these.

`frame_format` says which images a file holds; `frame_rows` adds their footprints on the sky, for `frame_index`. A frame
whose pixels are damaged spoils the stamps that it overlaps, no others: `read_frame` and `blank_value` say so.
"""

import io
import math
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits

from photoz_morph.stacking.astrometry import celestial_wcs, footprint, local_tan, to_pixels, wcs_cards
from photoz_morph.stacking.frame_format import images_of
from photoz_morph.stacking.frame_headers import DAMAGES, damaged, open_stream, read_headers
from photoz_morph.stacking.frame_names import match_name
from photoz_morph.system.sizes import check_fits, read_past

# SWarp estimates the noise of a frame (its weight) from the pixels it is given: 80 around a stamp bring that
# within some per cent of the whole frame's. Resampling alone needs 3.
CUT_MARGIN = 80
FEWEST_PIXELS = 16  # of which half have one value by chance in no frame


def frame_rows(path, survey):
    """Rows of an index for the images of a survey in one file, as far as its headers tell.

    Parameters
    ----------
    path : str
    survey : Survey

    Returns
    -------
    list of dict
        With the columns of `FrameIndex`, except size and time; none if the file is not of the survey, or of another
        band. `radius` is None if the headers cannot be read; `error`, if there is one, says why the frame can never be
        used; `band` is None if nothing tells it.
    """
    name = match_name(path, survey)
    if name is None:
        return []
    row = {"band": name.band, "identity": _identity(path, name.parts), "path": path, "hdu": 0, "plane": -1}
    row |= {"factor": 1.0, "radius": None, "damage": ""}
    try:
        headers = read_headers(path, survey.frames.hdu)
    except ValueError as error:
        return [row | {"damage": str(error)}]
    rows = []
    try:
        for image in images_of(path, headers, survey):
            wcs = celestial_wcs(path, image.header)
            names = ("crval", "crpix", "cd", "shape", "center", "radius", "is_plain")
            place = dict(zip(names, footprint(path, wcs, image.shape)))
            place["header"] = "" if place["is_plain"] else wcs_cards(image.header)
            plane = -1 if image.plane is None else image.plane
            rows.append(row | {"band": image.band, "hdu": image.hdu, "plane": plane, "factor": image.factor} | place)
    except ValueError as error:
        return [row | {"error": str(error)}]
    damage = _damage_at_end(path, headers) if rows else ""
    return [row | {"damage": damage} for row in rows]


def _identity(path, parts):
    """Text that frames of one exposure have in common; the path where the name has no parts that tell it."""
    return "-".join(str(int(part)) if part.isascii() and part.isdigit() else part for part in parts) or str(path)


def read_frame(frame):
    """Read the pixels of a frame, shape (rows, columns), float32 [unit of the survey]; NaN are kept.

    Parameters
    ----------
    frame : dict
        Of a `FrameIndex`.

    Raises
    ------
    ValueError
        If the file is damaged, or no pixel is finite.
    """
    path = frame["path"]
    try:
        with open_stream(path) as stream, warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*truncated")  # only a warning to astropy
            with fits.open(io.BytesIO(stream.read()), memmap=False) as hdus:
                pixels = hdus[frame["hdu"]].data
                image = np.asarray(pixels if frame["plane"] < 0 else pixels[frame["plane"]], np.float32)
        if frame["factor"] != 1:
            image = image * np.float32(frame["factor"])
        if image.shape != tuple(frame["shape"]):
            raise ValueError(f"its image is {image.shape}, {frame['shape']} in the index")
        if not np.isfinite(image).any():
            raise ValueError("none of its pixels is finite")
    except DAMAGES as error:
        raise damaged(path, error) from error
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
    x, y, scale = _place(frame, ra, dec)
    for side, margin in ((side_arcsec, CUT_MARGIN), (side_arcsec, 0), (side_arcsec / 4, 0)):
        pixels = image[_slices_around(x, y, side / scale / np.sqrt(2) + margin, image.shape)].ravel()
        is_finite = np.isfinite(pixels)
        if not is_finite.all():
            pixels = pixels[is_finite]
        if len(pixels) >= FEWEST_PIXELS and (value := majority(pixels)) is not None:
            return value
    return None


def majority(values):
    """Value that more than half of some numbers have, or None.

    Of neighbours in pairs, only those that are equal can be of such a value, and it remains one among these (Boyer &
    Moore 1991): pixels with noise are soon used up, where a median would take ten times as long.
    """
    left, candidates = values, []
    while len(left) > 1:
        if len(left) % 2:
            candidates.append(left[-1])
        first = left[: len(left) // 2 * 2 : 2]
        left = first[first == left[1::2]]
    candidates.extend(left)
    for candidate in set(candidates):
        if np.count_nonzero(values == candidate) > len(values) / 2:
            return float(candidate)
    return None


def cut_slices(frame, shape, ra, dec, side_arcsec, margin=CUT_MARGIN):
    """Rows and columns of an image of that shape that `cut_frame` takes."""
    x, y, scale = _place(frame, ra, dec)
    return _slices_around(x, y, side_arcsec / scale / np.sqrt(2) + margin, shape)


def _place(frame, ra, dec):
    """Pixel of a position, and the side of a pixel [arcsec]."""
    x, y = to_pixels(frame, ra, dec)
    (a, b), (c, d) = frame["cd"].tolist()
    return float(x), float(y), 3600 * math.sqrt(abs(a * d - b * c))


def _slices_around(x, y, half, shape):
    """Rows and columns of a square around a pixel, as far as an image of that shape has them."""
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


def _damage_at_end(path, headers):
    """What is wrong with the end of a file, given its headers up to the image, or ""."""
    try:
        if Path(path).suffix == ".bz2":
            # Decompressing all of a bzip2 file takes half a second. Its end mark and checksum, which need not begin at
            # a byte, fill the last 80 bits before up to 7 bits of padding.
            with open(path, "rb") as file:
                file.seek(-11, io.SEEK_END)
                tail = int.from_bytes(file.read(), "big")
            if not any((tail >> (32 + shift)) % 2**48 == 0x177245385090 for shift in range(8)):
                raise EOFError("the end of the bzip2 stream is missing")
        elif len(headers) == 1:
            lengths = [headers[0][f"NAXIS{axis}"] for axis in range(1, headers[0]["NAXIS"] + 1)]
            n_bytes = abs(headers[0]["BITPIX"]) // 8 * math.prod(lengths)
            with open_stream(path) as stream:
                fits.Header.fromfile(stream)
                if read_past(stream, n_bytes) < n_bytes:
                    raise EOFError("its pixels are cut short")
        else:
            check_fits(path)
    except DAMAGES as error:
        return str(damaged(path, error))
    return ""
