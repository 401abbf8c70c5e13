"""Stack of one galaxy, made by SWarp (Bertin et al. 2002) from the frames that overlap it.

SWarp is given small cuts of frames around the galaxy instead of whole frames, which is three times faster, and HDU 0
only: it would take the calibration vector in HDU 1 of a frame file for an image. Pixels made from
cuts and from whole frames agree to 1e-5 of their value. The rest is FSCALASTRO_TYPE FIXED: it scales fluxes by the
pixel area at the centre of the image given, and away from the tangent point a TAN pixel is smaller on the sky.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

from photoz_morph.stacking.frame_index import overlapping_frames
from photoz_morph.stacking.frames import cut_frame, read_frame

COMBINE_TYPES = ("median", "average")
RESAMPLING = "LANCZOS3"  # Pasquet et al. (2019), Sec. 2


def stack_galaxy(index, ra, dec, survey, combine="median", swarp="SWarp"):
    """Stacks of one galaxy in all bands.

    Parameters
    ----------
    index : FrameIndex
    ra, dec : float
        Position [deg].
    survey : Survey
    combine : {"median", "average"}
    swarp : str
        Name or path of the program.

    Returns
    -------
    images : ndarray, shape (size, size, n_bands), float32
        [unit of the survey], 0 where the weight is 0.
    weights : ndarray, shape (size, size, n_bands), float32
        Inverse variance [unit of the survey ** -2], 0 where no frame has a good pixel.
    n_frames : ndarray of int, shape (n_bands,)
        Number of frames used.
    """
    frames = overlapping_frames(index, ra, dec, survey.stamp_size * survey.pixel_scale)
    bands = [stack_band(frames[frames["band"] == band], ra, dec, survey, combine, swarp) for band in survey.bands]
    images, weights, n_frames = zip(*bands)
    return np.stack(images, axis=-1), np.stack(weights, axis=-1), np.array(n_frames)


def stack_band(frames, ra, dec, survey, combine="median", swarp="SWarp", read=read_frame):
    """Stack of one galaxy in one band, made by SWarp from all given frames.

    Parameters
    ----------
    frames : FrameIndex
        Frames of one band that overlap the stamp.
    ra, dec : float
        Position [deg].
    survey : Survey
    combine : {"median", "average"}
    swarp : str
        Name or path of the program.
    read : callable
        Returns the pixels of a frame, given its path.

    Returns
    -------
    image : ndarray, shape (size, size), float32
        [unit of the survey], 0 where the weight is 0.
    weight : ndarray, shape (size, size), float32
        Inverse variance [unit of the survey ** -2], 0 where no frame has a good pixel.
    n_frames : int
        Number of frames used.

    Raises
    ------
    RuntimeError
        If SWarp fails.
    """
    size = survey.stamp_size
    if len(frames) == 0:
        return np.zeros((size, size), np.float32), np.zeros((size, size), np.float32), 0
    side_arcsec = size * survey.pixel_scale
    cuts = [cut_frame(frame, read(frame["path"]), ra, dec, side_arcsec) for frame in frames]
    try:
        image, weight = coadd(cuts, ra, dec, survey, combine, swarp)
    except RuntimeError as error:
        raise RuntimeError(
            f"band {frames['band'][0]} at ra={ra:.6f}, dec={dec:.6f}, {len(frames)} frames, the first is "
            f"{frames['path'][0]}: {error}"
        ) from error
    return image, weight, len(frames)


def find_swarp(swarp=None):
    """Find the SWarp program and its version.

    Parameters
    ----------
    swarp : str or None
        Name or path; by default `SWarp` or `swarp`, whichever is found.

    Returns
    -------
    path, version : str

    Raises
    ------
    RuntimeError
        If it is not installed, or the program is not SWarp.
    """
    found = next(filter(None, map(shutil.which, [str(swarp)] if swarp else ["SWarp", "swarp"])), None)
    if found is None:
        raise RuntimeError(
            f"{swarp or 'SWarp'} is not installed; install it with `apt-get install swarp` (Debian, Ubuntu) or "
            "`conda install -c conda-forge astromatic-swarp`, or from https://www.astromatic.net/software/swarp"
        )
    said = subprocess.run([found, "--version"], capture_output=True, text=True, errors="replace").stdout.split()
    if said[:2] != ["SWarp", "version"]:
        raise RuntimeError(
            f"{found} is not SWarp (`{found} --version` says {' '.join(said[:6])!r}); give its path"
        )
    return str(Path(found).absolute()), said[2]


def coadd(hdus, ra, dec, survey, combine="median", swarp="SWarp"):
    """Resample images to one stamp of the survey around a position and combine them.

    Parameters
    ----------
    hdus : list of PrimaryHDU
        Images of one band with their WCS.
    ra, dec : float
        Centre of the stamp [deg].
    survey : Survey
    combine : {"median", "average"}
    swarp : str
        Name or path of the program.

    Returns
    -------
    image : ndarray, shape (size, size), float32
        TAN, north up, east left; 0 where the weight is 0.
    weight : ndarray, shape (size, size), float32
        Inverse variance as SWarp estimates it from the pixel noise of the images, 0 where none has a good pixel.

    Raises
    ------
    RuntimeError
        If SWarp fails.
    """
    with tempfile.TemporaryDirectory(prefix="photoz_stack_") as folder:
        names = [f"frame_{i}.fits" for i in range(len(hdus))]
        for name, hdu in zip(names, hdus):
            hdu.writeto(Path(folder, name))
        # Without a configuration file SWarp warns; its defaults are what we want.
        Path(folder, "empty.swarp").touch()
        options = {
            "IMAGEOUT_NAME": "stack.fits",
            "WEIGHTOUT_NAME": "weight.fits",
            "PROJECTION_TYPE": "TAN",
            "CENTER_TYPE": "MANUAL",
            "CENTER": f"{ra:.9f},{dec:.9f}",
            "PIXELSCALE_TYPE": "MANUAL",
            "PIXEL_SCALE": survey.pixel_scale,
            "IMAGE_SIZE": f"{survey.stamp_size},{survey.stamp_size}",
            "RESAMPLING_TYPE": RESAMPLING,
            "SUBTRACT_BACK": "N",  # Pasquet et al. (2019), Sec. 2
            "COMBINE_TYPE": combine.upper(),
            "WRITE_XML": "N",
            "VERBOSE_TYPE": "QUIET",
            "NTHREADS": 1,  # no faster with more on stamps
        }
        arguments = [str(word) for key, value in options.items() for word in (f"-{key}", value)]
        command = [swarp, *names, "-c", "empty.swarp", *arguments]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
        if result.returncode != 0 or not Path(folder, "stack.fits").exists():
            said = [line.strip("> ") for line in result.stderr.splitlines() if line.strip()] or ["nothing"]
            raise RuntimeError(f"SWarp made no stack (exit {result.returncode}) and said: {said[-1]}")
        return fits.getdata(Path(folder, "stack.fits")), fits.getdata(Path(folder, "weight.fits"))
