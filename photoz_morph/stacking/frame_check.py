"""What the images of a folder say about themselves, compared with the description of their survey."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.wcs.utils import proj_plane_pixel_scales

from photoz_morph.stacking.astrometry import celestial_wcs, footprint
from photoz_morph.stacking.frame_format import images_in, require_frames


@dataclass(frozen=True)
class CheckedImage:
    """Facts of one image: its file, HDU, plane, band, shape, unit of the pixels, zero point and pixel scale [arcsec].

    `unit` is BUNIT, "" where there is none; `zero_point` is the AB magnitude of one count.
    """

    path: Path
    hdu: int
    plane: int | None
    band: str
    shape: tuple
    unit: str
    zero_point: float
    pixel_scale: float


@dataclass(frozen=True)
class FrameCheck:
    """Images that can be used, what contradicts the description, a line each, and the number of other files."""

    images: tuple
    problems: tuple
    n_ignored: int

    def of_band(self, band):
        """Images of one band."""
        return [image for image in self.images if image.band == band]


def check_frames(places, survey):
    """Read the headers of images and compare them with the description of a survey.

    Parameters
    ----------
    places : list of path-like
        Files, and folders in which all files are looked at.
    survey : Survey

    Returns
    -------
    FrameCheck

    Raises
    ------
    FileNotFoundError
        If a place does not exist.
    ValueError
        If the description says nothing of images.
    """
    require_frames(survey)
    images, problems, n_ignored = [], [], 0
    for path in _files(places):
        try:
            found = [_checked(path, image, survey) for image in images_in(path, survey)]
        except ValueError as error:
            problems.append(" ".join(str(error).split()))
            continue
        images += found
        n_ignored += not found
    return FrameCheck(tuple(images), tuple(problems), n_ignored)


def _files(places):
    """Files of files and folders, in order."""
    for place in map(Path, places):
        if place.is_dir():
            yield from sorted(path for path in place.rglob("*") if path.is_file())
        elif place.exists():
            yield place
        else:
            raise FileNotFoundError(f"{place}: no such file or folder; give images, or the folder that holds them")


def _checked(path, image, survey):
    """Facts of one image; a ValueError if its astrometry cannot be used."""
    wcs = celestial_wcs(path, image.header)
    footprint(path, wcs, image.shape)
    return CheckedImage(
        path=path,
        hdu=image.hdu,
        plane=image.plane,
        band=image.band,
        shape=image.shape,
        unit=str(image.header.get("BUNIT", "")).strip(),
        zero_point=float(survey.zero_point - 2.5 * np.log10(image.factor)),
        pixel_scale=float(3600 * np.mean(proj_plane_pixel_scales(wcs))),
    )
