"""Frames for the tests of frames, SWarp and stacks: the real ones, and synthetic ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits

from photoz_morph.stacking.astrometry import from_tangent_plane, unit_vector
from photoz_morph.stacking.frame_index import ARRAYS, TEXTS, FrameIndex, survey_description
from photoz_morph.stacking.swarp import find_swarp
from photoz_morph.surveys import SDSS

PER_BAND = ("psf_fwhm", "sky_brightness", "gain", "sky_sigma", "extinction_per_ebv", "asinh_softening")
R_ONLY = replace(SDSS, bands=("r",), **{name: getattr(SDSS, name)[2:3] for name in PER_BAND})
SIDE_ARCSEC = SDSS.stamp_size * SDSS.pixel_scale

try:
    PROGRAM = find_swarp()[0]
except RuntimeError:
    PROGRAM = None


def swarp_test(function):
    """Mark a test that needs SWarp, and skip it where there is none."""
    return pytest.mark.swarp(pytest.mark.skipif(PROGRAM is None, reason="SWarp is not installed")(function))


def frame_header(ra, dec, angle=0.0, shape=(150, 150), pixel_scale=0.396, offset=(0.0, 0.0)):
    """TAN header whose reference pixel is `offset` pixels from the middle, rotated by `angle` degrees."""
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    header = fits.Header({"BUNIT": "nanomaggy", "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg"})
    header.update({"CUNIT2": "deg", "CRVAL1": ra, "CRVAL2": dec})
    header.update({"CRPIX1": (shape[1] + 1) / 2 + offset[0], "CRPIX2": (shape[0] + 1) / 2 + offset[1]})
    cd = pixel_scale / 3600 * np.array([[-cosine, sine], [sine, cosine]])
    header.update({"CD1_1": cd[0, 0], "CD1_2": cd[0, 1], "CD2_1": cd[1, 0], "CD2_2": cd[1, 1]})
    return header


def write_frame(folder, image, header, band="r", run=1, field=1):
    path = Path(folder) / f"frame-{band}-{run:06d}-3-{field:04d}.fits"
    fits.writeto(path, np.asarray(image, np.float32), fits.Header({**header, "FILTER": band}))
    return path


def synthetic_survey_folder(folder, ra, dec, band_counts, shape=(150, 150), seed=0):
    """Frames of noise around a position, `band_counts` of each band."""
    rng = np.random.default_rng(seed)
    for band, count in zip("ugriz", band_counts):
        for run in range(count):
            write_frame(
                folder, rng.normal(size=shape), frame_header(ra, dec, 20.0 * run, shape), band, run=run + 1
            )


def synthetic_index(rng, ra, dec, n_frames, extent, survey=R_ONLY, shape=(300, 400)):
    """Index of frames that are not there, rotated at random, within a square of sky of a side of `extent` degrees."""
    columns = {name: np.zeros((n_frames, *item), dtype) for name, (dtype, item) in ARRAYS.items()}
    columns["crval"] = np.transpose(from_tangent_plane(*rng.uniform(-extent / 2, extent / 2, (2, n_frames)), ra, dec))
    angle, scale = rng.uniform(0, 2 * np.pi, n_frames), rng.uniform(0.2, 0.8, n_frames) / 3600
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    columns["cd"] = np.moveaxis(np.array([[-cosine, sine], [sine, cosine]]), -1, 0)
    columns["crpix"][:], columns["shape"][:] = (np.array(shape[::-1]) + 1) / 2, shape
    columns["center"] = unit_vector(*columns["crval"].T).T
    columns["radius"] = scale * np.hypot(*shape) / 2
    columns["factor"][:], columns["plane"][:] = 1, -1
    columns |= {name: pa.array([""] * n_frames, pa.large_string()) for name in TEXTS}
    columns["path"] = pa.array([f"frame-r-{i:06d}-1-0001.fits" for i in range(n_frames)], pa.large_string())
    meta = {"survey": survey_description(survey), "n_ignored": 0, "n_read": 0}
    return FrameIndex(columns, survey.bands, ".", meta)
