"""The part `frames` of a description: how the images of a survey lie on disk."""

import dataclasses
import re

from photoz_morph.surveys.checks import check_keys, finite_number, matching, shown, whole_number
from photoz_morph.surveys.description import AB_ZERO_POINTS, FrameFormat

MAGNITUDES = (-10.0, 60.0)  # of a zero point or a sky [mag]
UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./*^()+-]{0,19}")
KEYWORD = re.compile(r"[A-Z0-9_-]{1,8}|HIERARCH [ -<>-~]{1,60}")  # FITS standard 4.0, Sec. 4.1.2.1
MAX_PARTS, MAX_STARS, MAX_PATTERNS = 6, 3, 20  # parts in braces and * of a file name; patterns
HEADER_TEXT = re.compile(r"[!-~]([ -~]{0,66}[!-~])?")
FRAME_KEYS = tuple(entry.name for entry in dataclasses.fields(FrameFormat))


def frames_from_dict(values, bands, image_unit, source):
    """Format of the frames from the keys of `frames`.

    Parameters
    ----------
    values : dict
    bands : tuple of str
        Of the survey.
    image_unit : str
        Of its stacks.
    source : path-like
        Origin of the dictionary, for messages.

    Returns
    -------
    FrameFormat

    Raises
    ------
    ValueError
        If a key is unknown, a value has the wrong form, or band or flux scale of a frame are not told.
    """
    check_keys(values, FRAME_KEYS, source, "frames.")
    values = {key: value for key, value in values.items() if value is not None}
    kwargs = {}
    for key in ("band_keyword", "zero_point_keyword", "exposure_keyword", "cube_keyword"):
        if key in values:
            allowed = "a FITS keyword of up to 8 capital letters, digits, - and _, or HIERARCH and a longer one"
            kwargs[key] = matching(values, key, KEYWORD, allowed, source, "frames.")
    if "file_name" in values:
        kwargs["file_name"] = _file_names(values["file_name"], source)
    if "hdu" in values:
        hdu = values["hdu"]
        if not (isinstance(hdu, str) and HEADER_TEXT.fullmatch(hdu)):
            hdu = whole_number(hdu, "frames.hdu", 0, 9999, "or the EXTNAME of the image", source)
        kwargs["hdu"] = hdu
    if "bands" in values:
        kwargs["bands"] = _band_names(values["bands"], bands, source)
    if "zero_point" in values:
        kwargs["zero_point"] = finite_number(
            values["zero_point"], "frames.zero_point", *MAGNITUDES, "the AB magnitude of one count", source
        )
    if "unit" in values:
        kwargs["unit"] = matching(values, "unit", UNIT, "the unit in BUNIT, such as nanomaggy", source, "frames.")
        if kwargs["unit"] != image_unit and not {kwargs["unit"], image_unit} <= AB_ZERO_POINTS.keys():
            raise ValueError(
                f"{source}: 'frames.unit' is {kwargs['unit']!r}, which cannot be converted to 'image_unit' "
                f"{image_unit!r}; give 'frames.zero_point' or 'frames.zero_point_keyword' instead"
            )
    scales = [key for key in ("unit", "zero_point", "zero_point_keyword") if key in kwargs]
    if len(scales) != 1:
        raise ValueError(
            f"{source}: 'frames' has {' and '.join(scales) or 'no flux scale'}; give one of unit, zero_point and "
            "zero_point_keyword"
        )
    if "exposure_keyword" in kwargs and "unit" in kwargs:
        raise ValueError(f"{source}: 'frames' has exposure_keyword beside unit; it is for counts with a zero point")
    in_names = bool(kwargs.get("file_name")) and all("{band}" in name for name in kwargs["file_name"])
    if not in_names and not kwargs.keys() & {"band_keyword", "cube_keyword"}:
        raise ValueError(
            f"{source}: 'frames' does not tell the band of each frame; give {{band}} in file_name, band_keyword, or "
            "cube_keyword"
        )
    return FrameFormat(**kwargs)


def _file_names(value, source):
    """Tuple of the patterns of file names."""
    patterns = value if isinstance(value, list) else [value]
    if not 1 <= len(patterns) <= MAX_PATTERNS:
        raise ValueError(f"{source}: 'frames.file_name' has {len(patterns)} patterns; give 1 to {MAX_PATTERNS}")
    for pattern in patterns:
        _check_file_name(pattern, source)
    return tuple(patterns)


def _check_file_name(pattern, source):
    """Raise a ValueError if a text is no pattern of file names."""
    if not isinstance(pattern, str) or not re.fullmatch(r"[ -.0-~]{1,200}", pattern):
        raise ValueError(
            f"{source}: 'frames.file_name' is {shown(pattern)}; give the name of a file without its folder, such as "
            "image-{field}-{band}.fits"
        )
    parts = re.findall(r"\{([^{}]*)\}", pattern)
    rest = re.sub(r"\{[A-Za-z_][A-Za-z0-9_]*\}", "", pattern)
    repeated = next((part for part in parts if parts.count(part) > 1), None)
    if "{" in rest or "}" in rest or repeated is not None:
        problem = f"{{{repeated}}} is twice in it" if repeated is not None else "it has a brace without a word"
        raise ValueError(f"{source}: 'frames.file_name' is {shown(pattern)}; {problem}, write {{band}}, {{field}} ...")
    is_long = len(parts) > MAX_PARTS or pattern.count("*") > MAX_STARS
    if is_long or "[" in pattern or re.search(r"\*\*|\}[{*?]", pattern):
        raise ValueError(
            f"{source}: 'frames.file_name' is {shown(pattern)}; give at most {MAX_PARTS} parts in braces and "
            f"{MAX_STARS} *, with other characters between them, and no ["
        )


def _band_names(value, bands, source):
    """For each band the names that files have for it."""
    check_keys(value, bands, source, "frames.bands.")
    names = []
    for band in bands:
        found = value.get(band, band)
        found = found if isinstance(found, list) else [found]
        if not found or not all(isinstance(name, str) and HEADER_TEXT.fullmatch(name) for name in found):
            raise ValueError(
                f"{source}: 'frames.bands.{band}' is {shown(value.get(band))}; give the name that headers have for "
                "this band, or a list of names, each in quotes"
            )
        names.append(tuple(found))
    every = [name for of_band in names for name in of_band]
    repeated = next((name for name in every if every.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"{source}: 'frames.bands' has {repeated!r} twice; a name belongs to one band")
    return tuple(names)
