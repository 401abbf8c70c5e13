"""Descriptions of surveys in YAML: reading, checking, and plain dictionaries to store with what was made from them.

Every mistake is an error of one line that names the file, the key, its value and what is allowed.
"""

import re
from pathlib import Path

import yaml

from photoz_morph.surveys.checks import check_keys, finite_number, matching, shown, whole_number
from photoz_morph.surveys.description import AB_ZERO_POINTS, Survey
from photoz_morph.surveys.frame_keys import FRAME_KEYS, MAGNITUDES, UNIT, frames_from_dict

MAX_BYTES = 100_000  # of a description
MAX_BANDS = 100  # J-PAS has 59
SIDES = (4, 1024)  # of a stamp [pixel]
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
BAND = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,15}")
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
    check_keys(values, KEYS, source, "")
    missing = [key for key in REQUIRED if values.get(key) is None]
    if missing:
        raise ValueError(f"{source}: no '{missing[0]}'; a survey needs {', '.join(REQUIRED)}")
    bands = _bands(values["bands"], source)
    kwargs = {
        "name": matching(values, "name", NAME, "small letters, digits and _, at most 32", source),
        "bands": bands,
        "stamp_size": whole_number(values["stamp_size"], "stamp_size", *SIDES, "the side of a stamp [pixel]", source),
        "image_unit": matching(values, "image_unit", UNIT, "a unit such as nanomaggy, nJy or count", source),
    }
    kwargs |= {key: finite_number(values[key], key, *limits, source) for key, limits in NUMBERS.items()}
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
        kwargs["frames"] = frames_from_dict(values["frames"], bands, kwargs["image_unit"], source)
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


def _bands(value, source):
    """Tuple of the names of the bands."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_BANDS:
        raise ValueError(f"{source}: 'bands' is {shown(value)}; give a list of 1 to {MAX_BANDS} names, such as [g, r]")
    for band in value:
        if not isinstance(band, str) or not BAND.fullmatch(band):
            raise ValueError(
                f"{source}: 'bands' holds {shown(band)}; a band is a letter and up to 15 letters, digits or _, quoted "
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


def _per_band(value, key, limits, bands, source):
    """One number per band."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{source}: '{key}' is {shown(value)}; give a list, one number for each of {' '.join(bands)}")
    if len(value) != len(bands):
        raise ValueError(
            f"{source}: '{key}' has {len(value)} values, the survey {len(bands)} bands ({', '.join(bands)}); give one "
            "for each"
        )
    return tuple(finite_number(one, f"{key}[{band}]", *limits, source) for one, band in zip(value, bands))
