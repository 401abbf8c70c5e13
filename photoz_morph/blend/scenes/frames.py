"""Real images as scenes: the frames of a survey, whole or as a field of several bands, and any FITS image.

Their noise is that of the clipped pixels, or follows from the weights of resampled frames; nothing is known of their
sources.
"""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from photoz_morph.blend.scenes.scene import Scene
from photoz_morph.stacking.frame_headers import read_headers
from photoz_morph.stacking.frame_index import FrameIndex, index_frames, overlapping_frames
from photoz_morph.stacking.frames import frame_rows, read_frame
from photoz_morph.stacking.noise import clipped_sigma
from photoz_morph.stacking.stamps import stack_band


def read_frame_scene(path, survey):
    """A whole frame of a survey, of one band and in its own pixels.

    Parameters
    ----------
    path : path-like
        Also compressed (.bz2, .gz).
    survey : Survey

    Returns
    -------
    Scene
        In the unit of the survey.

    Raises
    ------
    ValueError
        If it is no frame of the survey, or damaged.
    """
    rows = frame_rows(str(path), survey)
    if not rows:
        raise ValueError(f"{path}: not the name of a frame of {survey.name}; rename it, or give a frame")
    reason = rows[0].get("error") or rows[0]["damage"]
    if reason:
        raise ValueError(reason)
    return _scene(path, [read_frame(row) for row in rows], [row["band"] for row in rows])


def read_field_scene(frames, survey, ra, dec, size, bands=None):
    """A square of the sky in several bands of a survey, resampled from its frames to the same pixels, north up.

    Parameters
    ----------
    frames : path-like or FrameIndex
        Folder of frames, indexed now, or their index.
    survey : Survey
    ra, dec : float
        Centre [deg].
    size : int
        Side [pixel of the survey].
    bands : sequence of str, optional
        By default all of the survey.

    Returns
    -------
    Scene
        In the unit of the survey; sigma is infinite where no frame has a good pixel.

    Raises
    ------
    ValueError
        If a band has no frame there.
    """
    field, bands = replace(survey, stamp_size=int(size)), tuple(bands or survey.bands)
    index = frames if isinstance(frames, FrameIndex) else index_frames(frames, field, keep_bad=True)
    covering = overlapping_frames(index, ra, dec, field.stamp_size * field.pixel_scale)
    missing = [band for band in bands if band not in covering["band"]]
    if missing:
        raise ValueError(
            f"{frames}: no frame of band {', '.join(missing)} covers ra {ra:.5f}, dec {dec:.5f}; add it, or give "
            "another position"
        )
    stacks = [stack_band(covering[covering["band"] == band], ra, dec, field, engine="lanczos") for band in bands]
    image, weight = (np.stack(planes, axis=-1) for planes in list(zip(*stacks))[:2])
    sigma = np.divide(1, np.sqrt(weight, dtype=float), out=np.full(weight.shape, np.inf), where=weight > 0)
    return Scene(f"{survey.name} {ra:.5f} {dec:+.5f}", bands, image, sigma)


def read_image_scene(path, bands=None, hdu=None):
    """A FITS image of any program: two axes, or three of which the first is that of the bands.

    Parameters
    ----------
    path : path-like
        Also compressed (.bz2, .gz).
    bands : sequence of str, optional
        Their names, by default numbers from 0.
    hdu : int or str, optional
        Number or name of the HDU, by default the first that holds an image.

    Returns
    -------
    Scene
        In the unit of the file, its sky not subtracted.

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file is damaged, or has no such image or another number of bands.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file; give a FITS image")
    with warnings.catch_warnings():
        # Cards beyond the standard, such as ESO's log books, are of no use here.
        warnings.filterwarnings("ignore", message="The following header keyword is invalid")
        return _read_planes(path, bands, hdu)


def _read_planes(path, bands, hdu):
    """Scene of the image or cube of a file; see `read_image_scene`."""
    headers = read_headers(path, hdu)
    header = headers[-1]
    n_axes = header.get("NAXIS", 0)
    if n_axes not in (2, 3):
        raise ValueError(f"{path}: HDU {len(headers) - 1} has {n_axes} axes; give an image of two or three")
    n_bands = header["NAXIS3"] if n_axes == 3 else 1
    bands = tuple(map(str, range(n_bands))) if bands is None else tuple(bands)
    if len(bands) != n_bands:
        raise ValueError(f"{path}: has {n_bands} bands, {len(bands)} names are given; correct them")
    frame = {
        "path": str(path), "hdu": len(headers) - 1, "factor": 1.0, "shape": (header["NAXIS2"], header["NAXIS1"]),
    }  # fmt: skip
    planes = range(n_bands) if n_axes == 3 else [-1]
    return _scene(path, [read_frame(frame | {"plane": plane}) for plane in planes], bands)


def _scene(path, planes, bands):
    """Scene of images of one shape; pixels that are not finite are 0 with infinite noise."""
    image = np.stack(planes, axis=-1)
    sigma = np.array([clipped_sigma(band) for band in planes])
    if not (sigma > 0).all():
        raise ValueError(f"{path}: no noise in it, or too few good pixels; give an image of the sky")
    is_good = np.isfinite(image)
    if not is_good.all():
        sigma, image = np.where(is_good, sigma, np.inf), np.where(is_good, image, np.float32(0))
    return Scene(Path(path).name.partition(".")[0], tuple(bands), image, sigma)
