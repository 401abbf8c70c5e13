"""What a file of a survey holds: which of its HDUs and planes are images of which band, and in what unit.

The survey's `frames` say how its files are named and which header keywords tell the band and the flux scale.
`frame_names.match_name` needs the name of a file alone, `images_of` its headers too; `images_in` reads these and no
pixel.
"""

import re
from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from photoz_morph.stacking.frame_headers import is_image, is_image_kind, read_headers, two_axes
from photoz_morph.stacking.frame_names import band_called, match_name
from photoz_morph.surveys.description import AB_ZERO_POINTS

# Unit -> its spellings in BUNIT, in lower case.
SPELLINGS = {
    "maggy": {"maggy", "maggies"},
    "nanomaggy": {"nanomaggy", "nanomaggies", "nanomaggys", "nmgy"},
    "Jy": {"jy", "jansky"},
    "mJy": {"mjy", "millijansky"},
    "uJy": {"ujy", "microjansky"},
    "nJy": {"njy", "nanojansky"},
}
ZERO_POINT_TOLERANCE = 0.01  # between BUNIT and the description [mag]


@dataclass(frozen=True)
class FrameImage:
    """One image of one band in a file.

    Attributes
    ----------
    band : str
    hdu : int
        Number of the HDU.
    plane : int or None
        Plane of a 3-D image, None for a 2-D one.
    factor : float
        Pixel values times this are in the unit of the survey.
    parts : tuple of str
        Parts of the file's name that tell frames of one band apart; empty if the pattern has none.
    shape : tuple of int
        Rows and columns.
    header : Header
        Of a 2-D image: that of the HDU without the cards of further axes.
    """

    band: str
    hdu: int
    plane: int | None
    factor: float
    parts: tuple
    shape: tuple
    header: fits.Header


def images_in(path, survey):
    """Images of a survey in a file, by its name and headers; no pixel is read.

    Parameters
    ----------
    path : path-like
        Also compressed as a whole (.gz, .bz2) or in tiles (.fz).
    survey : Survey

    Returns
    -------
    list of FrameImage
        Empty if the file is not of the survey, or of another band.

    Raises
    ------
    ValueError
        If the survey does not describe its frames, the file cannot be read, or its header contradicts its name or the
        description, or lacks what the description names.
    """
    require_frames(survey)
    if match_name(path, survey) is None:
        return []
    return images_of(path, read_headers(path, survey.frames.hdu), survey)


def images_of(path, headers, survey):
    """Images of a survey in a file with these headers.

    Parameters
    ----------
    path : path-like
        Its name is matched, and named in errors.
    headers : list of Header
        Of the HDUs from the first to that of the image, as from `read_headers`.
    survey : Survey

    Returns
    -------
    list of FrameImage

    Raises
    ------
    ValueError
        As `images_in`.
    """
    frames, found = survey.frames, match_name(path, survey)
    if found is None:
        return []
    number = _image_hdu(path, headers, frames.hdu)
    header, sources = headers[number], (headers[number], headers[0])
    shape = _shape(path, header, number)
    planes = _planes(path, header, sources, shape, found.band, survey)
    if not planes:
        return []
    if "BSOFTEN" in header and "BOFFSET" in header:
        raise ValueError(
            f"{path}: its pixels are asinh-scaled (BSOFTEN, BOFFSET), as in whole skycells of Pan-STARRS; take images "
            "of linear flux, as the cut-out service gives them"
        )
    factor = _factor(path, sources, survey)
    flat = two_axes(header)
    return [FrameImage(band, number, plane, factor, found.parts, shape[-2:], flat) for plane, band in planes]


def require_frames(survey):
    """Raise a ValueError if the description of a survey does not say how its images lie on disk."""
    if getattr(survey, "frames", None) is None:
        raise ValueError(
            f"survey {survey.name}: its description has no `frames`, so images cannot be found; add them "
            "(`photoz survey new` writes a template)"
        )


def is_unit(text, unit):
    """True if a text is one of the spellings of a unit; an image has it in each pixel."""
    text = re.sub(r"\s*(/|per)\s*pix(el)?$", "", str(text).strip().lower())
    return text in SPELLINGS.get(unit, {unit.lower()})


def _image_hdu(path, headers, hdu):
    """Number of the HDU of the image."""
    for number in range(len(headers)):
        if is_image(headers[: number + 1], hdu):
            return number
    what = "with an image" if hdu is None else hdu
    raise ValueError(f"{path}: has no HDU {what} among its {len(headers)}; correct `frames.hdu` of the survey")


def _shape(path, header, number):
    """Shape of the image of a header, slowest axis first."""
    n_axes = header.get("NAXIS")
    if n_axes not in (2, 3) or not is_image_kind(header):
        raise ValueError(f"{path}: HDU {number} has {n_axes} axes, not a 2-D image; download it again")
    shape = tuple(header.get(f"NAXIS{axis}") for axis in range(n_axes, 0, -1))
    if not all(isinstance(length, int) and length > 0 for length in shape):
        raise ValueError(f"{path}: HDU {number} has an image of {shape} pixels; download it again")
    return shape


def _planes(path, header, sources, shape, band_in_name, survey):
    """Plane and band of each image; empty if they are of other bands."""
    frames = survey.frames
    if frames.cube_keyword and (listed := _card(sources, frames.cube_keyword)) is not None:
        n_planes = shape[0] if len(shape) == 3 else 1
        names = _listed_bands(str(listed), n_planes, survey)
        if len(names) != n_planes:
            raise ValueError(
                f"{path}: {frames.cube_keyword} is {listed!r}, its image has {n_planes} planes; correct the keyword"
            )
        bands = [band_called(name, survey) for name in names]
        repeated = next((band for band in bands if band and bands.count(band) > 1), None)
        if repeated:
            raise ValueError(f"{path}: {frames.cube_keyword} is {listed!r}, with band {repeated} twice; correct it")
        return [(plane if len(shape) == 3 else None, band) for plane, band in enumerate(bands) if band]
    if len(shape) == 3 and shape[0] != 1:
        said = f"no {frames.cube_keyword} in its header" if frames.cube_keyword else "`frames` have no cube_keyword"
        raise ValueError(f"{path}: has {shape[0]} planes, but {said} that names their bands; add it")
    plane, band = (0 if len(shape) == 3 else None), band_in_name
    if frames.band_keyword:
        written = _card(sources, frames.band_keyword)
        if written is None:
            if band is None:
                raise ValueError(
                    f"{path}: no {frames.band_keyword} in its header, which tells the band of {survey.name}; correct "
                    "`frames.band_keyword`, or remove the file"
                )
        elif band is None:
            band = band_called(written, survey)
        elif band_called(written, survey) != band:
            raise ValueError(
                f"{path}: {frames.band_keyword} in its header is {str(written).strip()}, its name says {band}; rename "
                "the file"
            )
    elif band is None:
        raise ValueError(f"{path}: nothing tells its band: no {frames.cube_keyword} in its header; add it")
    return [(plane, band)] if band else []


def _listed_bands(text, n_planes, survey):
    """Names of bands in a text: between commas, blanks or semicolons, or one letter each."""
    names = [name for name in re.split(r"[\s,;]+", text.strip()) if name]
    if len(names) == 1 and n_planes > 1 and len(names[0]) == n_planes:
        return list(names[0])
    return names


def _factor(path, sources, survey):
    """What brings pixel values to the unit of the survey."""
    frames, unit = survey.frames, _card(sources, "BUNIT")
    if frames.unit:
        if unit is None or not is_unit(unit, frames.unit):
            said = "missing" if unit is None else str(unit).strip()
            raise ValueError(
                f"{path}: BUNIT is {said}, {survey.name} "
                + (f"stacks are in {survey.image_unit}; give corrected frames" if frames.unit == survey.image_unit
                   else f"frames are in {frames.unit}; correct `frames.unit`, or download it again")
            )  # fmt: skip
        return 1.0 if frames.unit == survey.image_unit else _ratio(AB_ZERO_POINTS[frames.unit], survey)
    zero_point, name = frames.zero_point, "the description"
    if frames.zero_point_keyword:
        name = frames.zero_point_keyword
        zero_point = _number(path, sources, name, "the AB magnitude of a count")
    seconds = 1.0
    if frames.exposure_keyword:
        seconds = _number(path, sources, frames.exposure_keyword, "the exposure time [s]")
        if seconds <= 0:
            raise ValueError(f"{path}: {frames.exposure_keyword} is {seconds:g}, an exposure takes longer; correct it")
    known = next((known for known in AB_ZERO_POINTS if unit is not None and is_unit(unit, known)), None)
    if known and abs(AB_ZERO_POINTS[known] - zero_point) > ZERO_POINT_TOLERANCE:
        raise ValueError(
            f"{path}: BUNIT is {str(unit).strip()}, of zero point {AB_ZERO_POINTS[known]:g}, but {name} says "
            f"{zero_point:g}; give `frames.unit: {known}` instead, or correct the header"
        )
    factor = _ratio(zero_point, survey) / seconds
    if not (np.isfinite(factor) and factor > 0):
        raise ValueError(f"{path}: its zero point {zero_point:g} cannot be that of an image; correct {name}")
    return factor


def _ratio(zero_point, survey):
    """Image units of a survey in one count of a zero point."""
    return float(10.0 ** (0.4 * np.clip(survey.zero_point - zero_point, -1000, 1000)))


def _number(path, sources, keyword, meaning):
    """Finite number of a header keyword."""
    value = _card(sources, keyword)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if isinstance(value, bool) or not np.isfinite(number):
        said = f"no {keyword} in its header" if value is None else f"{keyword} is {str(value)[:40]!r}"
        raise ValueError(f"{path}: {said}, which is to be {meaning}; correct it, or the survey's `frames`")
    return number


def _card(sources, keyword):
    """Value of a keyword in the first header that has it, or None; of a damaged card, a text that is no value."""
    for header in sources:
        try:
            value = header.get(keyword)
        except fits.VerifyError:
            return "a damaged card"
        if value is not None and not isinstance(value, fits.card.Undefined):
            return value
    return None
