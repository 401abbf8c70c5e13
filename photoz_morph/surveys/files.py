"""Descriptions of surveys in YAML: reading, checking, and plain dictionaries to store with what was made from them.

Every mistake is an error of one line that names the file, the key, its value and what is allowed.
"""

import dataclasses
import difflib
import math
import re
import reprlib
from pathlib import Path

import yaml

from photoz_morph.surveys.description import AB_ZERO_POINTS, FrameFormat, Survey

MAX_BYTES = 100_000  # of a description
MAX_BANDS = 100  # J-PAS has 59
SIDES = (4, 1024)  # of a stamp [pixel]
MAGNITUDES = (-10.0, 60.0)  # of a zero point or a sky [mag]
UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./*^()+-]{0,19}")
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
BAND = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,15}")
KEYWORD = re.compile(r"[A-Z0-9_-]{1,8}|HIERARCH [ -<>-~]{1,60}")  # FITS standard 4.0, Sec. 4.1.2.1
MAX_PARTS, MAX_STARS, MAX_PATTERNS = 6, 3, 20  # parts in braces and * of a file name; patterns
HEADER_TEXT = re.compile(r"[!-~]([ -~]{0,66}[!-~])?")
ZERO_POINT_TOLERANCE = 0.01  # between a unit and the zero point given for it [mag]

# Key of a number, or of one number per band -> lowest and highest value, and what it is.
NUMBERS = {
    "pixel_scale": (1e-3, 3600.0, "the side of a pixel [arcsec]"),
    "zero_point": (*MAGNITUDES, "the AB magnitude of one image_unit [mag]"),
}
PER_BAND = {
    "extinction_per_ebv": (0.0, 30.0, "A_band / E(B-V)"),
    "psf_fwhm": (1e-3, 3600.0, "seeing [arcsec]"),
    "sky_brightness": (*MAGNITUDES, "sky [mag / arcsec^2]"),
    "gain": (1e-12, 1e12, "electrons per image_unit"),
    "sky_sigma": (1e-30, 1e30, "noise of a pixel [image_unit]"),
    "asinh_softening": (1e-30, 1.0, "softening of asinh magnitudes, relative to magnitude 0"),
}
REQUIRED = ("name", "bands", "pixel_scale", "stamp_size", "image_unit", "zero_point", "extinction_per_ebv")
KEYS = (*REQUIRED, *(key for key in PER_BAND if key not in REQUIRED), "frames")
FRAME_KEYS = tuple(entry.name for entry in dataclasses.fields(FrameFormat))

_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxlist, _BRIEF.maxdict, _BRIEF.maxstring = 2, 8, 4, 80


def read_survey(path):
    """Read and check the description of a survey.

    Parameters
    ----------
    path : path-like
        A YAML file; ~ is expanded.

    Returns
    -------
    Survey

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not YAML, a key is unknown, missing or twice there, or a value has the wrong type, length or size.
    """
    path = Path(path)
    place = path.expanduser()
    if not place.is_file():
        raise FileNotFoundError(f"{path}: no such file; make a description with `photoz survey new`")
    if place.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path}: has {place.stat().st_size} bytes, more than a description of a survey can have")
    try:
        values = yaml.load(place.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        raise ValueError(f"{path}: not valid YAML ({' '.join(str(error).split())}); correct it") from error
    return survey_from_dict(values, path)


def survey_from_dict(values, source="survey"):
    """Survey of a dictionary, as `survey_to_dict` makes it.

    Parameters
    ----------
    values : dict
        Keys and values as in the YAML file.
    source : path-like
        Origin of the dictionary, for messages.

    Returns
    -------
    Survey

    Raises
    ------
    ValueError
        If a key is unknown or missing, or a value has the wrong type, length or size.
    """
    _check_keys(values, KEYS, source, "")
    missing = [key for key in REQUIRED if values.get(key) is None]
    if missing:
        raise ValueError(f"{source}: no '{missing[0]}'; a survey needs {', '.join(REQUIRED)}")
    bands = _bands(values["bands"], source)
    kwargs = {
        "name": _matching(values, "name", NAME, "small letters, digits and _, at most 32", source),
        "bands": bands,
        "stamp_size": _whole_number(values["stamp_size"], "stamp_size", *SIDES, "the side of a stamp [pixel]", source),
        "image_unit": _matching(values, "image_unit", UNIT, "a unit such as nanomaggy, nJy or count", source),
    }
    kwargs |= {key: _number(values[key], key, *limits, source) for key, limits in NUMBERS.items()}
    for key, limits in PER_BAND.items():
        if values.get(key) is not None:
            kwargs[key] = _per_band(values[key], key, limits, bands, source)
    expected = AB_ZERO_POINTS.get(kwargs["image_unit"])
    if expected is not None and abs(expected - kwargs["zero_point"]) > ZERO_POINT_TOLERANCE:
        raise ValueError(
            f"{source}: 'zero_point' is {kwargs['zero_point']:g}, but one {kwargs['image_unit']} has the AB magnitude "
            f"{expected:g}; give that, or another 'image_unit' such as count"
        )
    if values.get("frames") is not None:
        kwargs["frames"] = _frames(values["frames"], bands, kwargs["image_unit"], source)
    return Survey(**kwargs)


def survey_to_dict(survey):
    """A survey as a dictionary of plain values, which YAML and JSON can hold; keys without a value are left out."""
    values = {key: getattr(survey, key) for key in KEYS if getattr(survey, key) is not None}
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    if survey.frames is not None:
        frames = {key: getattr(survey.frames, key) for key in FRAME_KEYS if getattr(survey.frames, key) is not None}
        if "bands" in frames:
            frames["bands"] = {band: list(names) for band, names in zip(survey.bands, frames["bands"])}
        if "file_name" in frames:
            frames["file_name"] = list(frames["file_name"])
        values["frames"] = frames
    return values


class _Loader(yaml.SafeLoader):
    """YAML without keys that are twice there, of which the last would silently be taken."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        repeated = next((key for key in keys if keys.count(key) > 1), None)
        if repeated is not None:
            raise ValueError(f"key {repeated!r} is twice there, again in line {node.start_mark.line + 1} or below")
        return super().construct_mapping(node, deep)


def _check_keys(values, known, source, prefix):
    """Raise a ValueError if something is not a dictionary of known keys."""
    if not isinstance(values, dict):
        where = f"'{prefix.rstrip('.')}' is" if prefix else "holds"
        raise ValueError(f"{source}: {where} {_shown(values)}, not `key: value` lines; keys are {', '.join(known)}")
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1, cutoff=0.6)
            remedy = f"did you mean '{prefix}{close[0]}'?" if close else f"keys are {', '.join(known)}"
            raise ValueError(f"{source}: unknown key {_shown(f'{prefix}{key}')}; {remedy}")


def _bands(value, source):
    """Tuple of the names of the bands."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_BANDS:
        raise ValueError(f"{source}: 'bands' is {_shown(value)}; give a list of 1 to {MAX_BANDS} names, such as [g, r]")
    for band in value:
        if not isinstance(band, str) or not BAND.fullmatch(band):
            raise ValueError(
                f"{source}: 'bands' holds {_shown(band)}; a band is a letter and up to 15 letters, digits or _, quoted "
                "if YAML takes it for something else"
            )
    lower = [band.lower() for band in value]
    repeated = next((band for band in value if lower.count(band.lower()) > 1), None)
    if repeated is not None:
        raise ValueError(
            f"{source}: 'bands' holds {repeated!r} twice, letter case aside, which columns of FITS tables do not tell "
            "apart; rename one"
        )
    return tuple(value)


def _matching(values, key, pattern, allowed, source, prefix=""):
    """Text of a key, if it matches a pattern."""
    value = values[key]
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{source}: '{prefix}{key}' is {_shown(value)}; give {allowed}")
    return value


def _number(value, key, lowest, highest, meaning, source):
    """Finite number between limits."""
    number = math.nan
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)  # PyYAML reads 1e-10 as text
        except (ValueError, OverflowError):
            pass
    if not lowest <= number <= highest:
        raise ValueError(f"{source}: '{key}' is {_shown(value)}; give a number in [{lowest:g}, {highest:g}], {meaning}")
    return number


def _whole_number(value, key, lowest, highest, meaning, source):
    """Whole number between limits."""
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise ValueError(
            f"{source}: '{key}' is {_shown(value)}; give a whole number from {lowest} to {highest}, {meaning}"
        )
    return value


def _per_band(value, key, limits, bands, source):
    """One number per band."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{source}: '{key}' is {_shown(value)}; give a list, one number for each of {' '.join(bands)}")
    if len(value) != len(bands):
        raise ValueError(
            f"{source}: '{key}' has {len(value)} values, the survey {len(bands)} bands ({', '.join(bands)}); give one "
            "for each"
        )
    return tuple(_number(one, f"{key}[{band}]", *limits, source) for one, band in zip(value, bands))


def _frames(values, bands, image_unit, source):
    """Format of the frames."""
    _check_keys(values, FRAME_KEYS, source, "frames.")
    values = {key: value for key, value in values.items() if value is not None}
    kwargs = {}
    for key in ("band_keyword", "zero_point_keyword", "exposure_keyword", "cube_keyword"):
        if key in values:
            allowed = "a FITS keyword of up to 8 capital letters, digits, - and _, or HIERARCH and a longer one"
            kwargs[key] = _matching(values, key, KEYWORD, allowed, source, "frames.")
    if "file_name" in values:
        kwargs["file_name"] = _file_names(values["file_name"], source)
    if "hdu" in values:
        hdu = values["hdu"]
        if not (isinstance(hdu, str) and HEADER_TEXT.fullmatch(hdu)):
            hdu = _whole_number(hdu, "frames.hdu", 0, 9999, "or the EXTNAME of the image", source)
        kwargs["hdu"] = hdu
    if "bands" in values:
        kwargs["bands"] = _band_names(values["bands"], bands, source)
    if "zero_point" in values:
        kwargs["zero_point"] = _number(
            values["zero_point"], "frames.zero_point", *MAGNITUDES, "the AB magnitude of one count", source
        )
    if "unit" in values:
        kwargs["unit"] = _matching(values, "unit", UNIT, "the unit in BUNIT, such as nanomaggy", source, "frames.")
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
            f"{source}: 'frames.file_name' is {_shown(pattern)}; give the name of a file without its folder, such as "
            "image-{field}-{band}.fits"
        )
    parts = re.findall(r"\{([^{}]*)\}", pattern)
    rest = re.sub(r"\{[A-Za-z_][A-Za-z0-9_]*\}", "", pattern)
    repeated = next((part for part in parts if parts.count(part) > 1), None)
    if "{" in rest or "}" in rest or repeated is not None:
        problem = f"{{{repeated}}} is twice in it" if repeated is not None else "it has a brace without a word"
        raise ValueError(f"{source}: 'frames.file_name' is {_shown(pattern)}; {problem}, write {{band}}, {{field}} ...")
    is_long = len(parts) > MAX_PARTS or pattern.count("*") > MAX_STARS
    if is_long or "[" in pattern or re.search(r"\*\*|\}[{*?]", pattern):
        raise ValueError(
            f"{source}: 'frames.file_name' is {_shown(pattern)}; give at most {MAX_PARTS} parts in braces and "
            f"{MAX_STARS} *, with other characters between them, and no ["
        )


def _band_names(value, bands, source):
    """For each band the names that files have for it."""
    _check_keys(value, bands, source, "frames.bands.")
    names = []
    for band in bands:
        found = value.get(band, band)
        found = found if isinstance(found, list) else [found]
        if not found or not all(isinstance(name, str) and HEADER_TEXT.fullmatch(name) for name in found):
            raise ValueError(
                f"{source}: 'frames.bands.{band}' is {_shown(value.get(band))}; give the name that headers have for "
                "this band, or a list of names, each in quotes"
            )
        names.append(tuple(found))
    every = [name for of_band in names for name in of_band]
    repeated = next((name for name in every if every.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"{source}: 'frames.bands' has {repeated!r} twice; a name belongs to one band")
    return tuple(names)


def _shown(value):
    """A value in a message, cut if it is long: YAML's references can make a few lines a value of any size."""
    return " ".join(_BRIEF.repr(value).split())
