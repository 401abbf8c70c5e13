"""Stamps by the program SWarp (Bertin et al. 2002), one process for each stamp and band.

SWarp is given small cuts of frames around the galaxy instead of whole frames, which is three times faster, and HDU 0
only: it would take the calibration vector in HDU 1 of a frame file for an image. Pixels made from
cuts and from whole frames agree to 1e-5 of their value. The rest is FSCALASTRO_TYPE FIXED: it scales fluxes by the
pixel area at the centre of the image given, and away from the tangent point a TAN pixel is smaller on the sky.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from astropy.io import fits

RESAMPLING = "LANCZOS3"  # Pasquet et al. (2019), Sec. 2


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
