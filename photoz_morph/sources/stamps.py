"""Image cubes of any layout as stamps of a survey: bands in its order, its unit, its size.

The layout of a source is settled and checked once, when it is opened; what is wrong with a single galaxy becomes the
reason of its flag. Stamps that are larger than those of the survey are cut at the centre, which moves the galaxy by
half a pixel where the one size is even and the other odd.
"""

import re
from dataclasses import dataclass

import numpy as np

from photoz_morph.sources.galaxy_columns import flag_rows
from photoz_morph.surveys.description import AB_ZERO_POINTS

# AB magnitude of one unit, in any letter case and in the spellings of public files.
SPELLINGS = {"nanomaggies": "nanomaggy", "nmgy": "nanomaggy", "maggies": "maggy", "mgy": "maggy", "njansky": "nJy",
             "nanojansky": "nJy", "microjansky": "uJy", "jansky": "Jy"}  # fmt: skip
UNIT_ZERO_POINTS = {unit.lower(): zero_point for unit, zero_point in AB_ZERO_POINTS.items()}
UNIT_ZERO_POINTS |= {spelled: AB_ZERO_POINTS[unit] for spelled, unit in SPELLINGS.items()}
SCALE_TOLERANCE = 0.01  # relative; 0.6 of 64 pixels at the edge of a stamp


@dataclass(frozen=True)
class StampLayout:
    """How the cubes of a source become stamps.

    Attributes
    ----------
    band_axis : int
        Axis of the bands in a cube of three axes, 0 or 2.
    planes : tuple of int
        Plane of each band of the survey along that axis.
    factor : float
        By which pixel values are multiplied.
    """

    band_axis: int
    planes: tuple
    factor: float = 1.0


def settle_layout(shape, survey, source, bands=None, factor=1.0):
    """Layout of the cubes of a source.

    Parameters
    ----------
    shape : tuple of 3 int
        Of one galaxy's cube.
    survey : ImagingSurvey
    source : path-like
        Origin of the cubes, for messages.
    bands : sequence of str, optional
        Bands of the planes, in order; by default there are as many planes as the survey has bands, in its order.
    factor : float
        From `unit_factor`.

    Raises
    ------
    ValueError
        If the shape has no axis of bands or two that may be it, a band is missing, or the cubes are smaller than a
        stamp.
    """
    n_planes = len(bands) if bands else survey.n_bands
    if len(shape) != 3:
        raise ValueError(f"{source}: a galaxy has an array of shape {shape}; give cubes of {n_planes} bands")
    candidates = [axis for axis in (0, 2) if shape[axis] == n_planes]
    # An image has two sides of much the same length, so that the odd one out is the axis of the bands.
    if len(candidates) == 2:
        candidates = [axis for axis in candidates if shape[axis] != shape[1]]
    if len(candidates) != 1:
        named = f"bands {','.join(bands)}" if bands else f"{survey.name} in bands {','.join(survey.bands)}"
        raise ValueError(
            f"{source}: cubes of shape {shape}, where {n_planes} planes along the first or the last axis are needed "
            f"for {named}; give another --survey or name the bands in the file"
        )
    axis = candidates[0]
    planes = pick_bands(bands, survey) if bands else tuple(range(survey.n_bands))
    if None in planes:
        missing = [band for band, plane in zip(survey.bands, planes) if plane is None]
        raise ValueError(
            f"{source}: has bands {','.join(map(str, bands))}, {survey.name} needs {','.join(missing)} too; give "
            "another --survey"
        )
    sides = [side for number, side in enumerate(shape) if number != axis]
    check_size(sides, survey, source)
    return StampLayout(axis, planes, factor)


def check_size(sides, survey, source):
    """Raise a ValueError if images of those two sides [pixel] are smaller than a stamp of the survey."""
    if min(sides) < survey.stamp_size:
        raise ValueError(
            f"{source}: images of {sides[0]} x {sides[1]} pixels, {survey.name} needs {survey.stamp_size} x "
            f"{survey.stamp_size} at least; cut them larger, or give a --survey of smaller stamps"
        )


def pick_bands(names, survey):
    """Plane of each band of a survey among named planes; None where it is missing or two may be it.

    Parameters
    ----------
    names : sequence of str
        A band, one of the names that the survey's description gives it, or one that ends in it as "hsc-g", "DES_g".
    survey : ImagingSurvey

    Returns
    -------
    tuple of int or None
    """
    described = getattr(getattr(survey, "frames", None), "bands", None) or [()] * survey.n_bands
    names = [_text(name) for name in names]
    return tuple(_pick(names, band, {band, *others}) for band, others in zip(survey.bands, described))


def _pick(names, band, known):
    """Number of the one name that means a band, which is also called by the known names."""
    ends = [re.split(r"[-_. :]", name)[-1] for name in names]
    for matches in (
        [number for number, name in enumerate(names) if name in known],
        [number for number, end in enumerate(ends) if end == band],
        [number for number, end in enumerate(ends) if end.lower() == band.lower()],
    ):
        if matches:
            return matches[0] if len(matches) == 1 else None
    return None


def _text(name):
    return name.decode(errors="backslashreplace").strip() if isinstance(name, bytes) else str(name).strip()


def unit_factor(survey, source, unit=None, zero_point=None):
    """Factor by which pixel values become those of the survey's unit.

    Parameters
    ----------
    survey : ImagingSurvey
    source : path-like
        Origin of the images, for messages.
    unit : str, optional
        Unit of their pixels; without it and `zero_point` it is the survey's.
    zero_point : float, optional
        AB magnitude of one count.

    Raises
    ------
    ValueError
        If the unit is unknown, or cannot be converted to that of the survey.
    """
    unit = _text(unit) if unit is not None else None
    if zero_point is None and (not unit or unit.lower() == survey.image_unit.lower()):
        return 1.0
    if zero_point is None and unit.lower() not in UNIT_ZERO_POINTS:
        raise ValueError(
            f"{source}: unit {unit!r} cannot be converted to {survey.image_unit}; give one of nJy, uJy, mJy, Jy, "
            "nanomaggy, maggy, or a zero point"
        )
    of_survey = UNIT_ZERO_POINTS.get(survey.image_unit.lower(), survey.zero_point)
    try:
        of_images = float(UNIT_ZERO_POINTS[unit.lower()] if zero_point is None else zero_point)
        factor = 10 ** (-0.4 * (of_images - float(of_survey)))
    except (TypeError, ValueError, OverflowError):
        factor = np.nan
    if not (np.isfinite(factor) and factor > 0):
        raise ValueError(f"{source}: zero point {zero_point} cannot be converted to {survey.image_unit}; give AB mag")
    return factor if abs(factor - 1) > 1e-12 else 1.0


def check_pixel_scale(pixel_scale, survey, source):
    """Raise a ValueError if a pixel scale [arcsec] differs from that of the survey by more than 1 %.

    It may be an array of one number per band; None passes.
    """
    reason = None if pixel_scale is None else pixel_scale_reason(pixel_scale, survey)
    if reason:
        raise ValueError(f"{source}: {reason}; resample the images, or give a --survey of that scale")


def pixel_scale_reason(pixel_scale, survey):
    """What is wrong with a pixel scale [arcsec] or several of them; "" if nothing is."""
    try:
        scales = np.atleast_1d(np.asarray(pixel_scale, float))
    except (TypeError, ValueError):
        return f"pixel scale {pixel_scale!r} is no number"
    wrong = ~(np.abs(scales / survey.pixel_scale - 1) <= SCALE_TOLERANCE)
    if not wrong.any():
        return ""
    return f"pixels of {scales[wrong][0]:.4g} arcsec, {survey.name} has {survey.pixel_scale:g}"


def to_stamps(cubes, layout, survey):
    """Stamps of cubes of one shape.

    Parameters
    ----------
    cubes : ndarray, shape (n, a, b, c)
    layout : StampLayout
    survey : ImagingSurvey

    Returns
    -------
    ndarray, shape (n, size, size, n_bands), float32
        A copy.
    """
    images = np.moveaxis(cubes, layout.band_axis + 1, -1)
    rows, columns = ((side - survey.stamp_size) // 2 for side in images.shape[1:3])
    size, planes = survey.stamp_size, layout.planes
    images = images[:, rows : rows + size, columns : columns + size]
    is_plain = planes == tuple(range(images.shape[-1]))
    images = np.array(images if is_plain else images[..., list(planes)], np.float32, order="C")
    if layout.factor != 1:
        images *= np.float32(layout.factor)
    return images


def flag_bad_pixels(images, table, survey):
    """Flag galaxies with a pixel that is not finite, and blank the pixels of all flagged ones, both in place.

    Parameters
    ----------
    images : ndarray, shape (n, size, size, n_bands)
    table : Table
        From `galaxy_table`.
    survey : ImagingSurvey
    """
    for row, image in enumerate(images):
        if np.isfinite(image.sum(dtype=np.float64)):
            continue
        counts = (~np.isfinite(image)).sum(axis=(0, 1))
        if counts.any():
            band = int(np.argmax(counts))
            reason = f"{counts[band]} pixels in band {survey.bands[band]} are not finite"
            flag_rows(table, [row], [reason])
    images[np.asarray(table["flag"]) != 0] = np.nan
