"""What MaxiMask makes of attacked images: whether that public detector of contaminants would mask the changed pixels.

MaxiMask (Paillassa, Bertin & Bouy 2020) is a program of its own, `maximask FILE.fits`, which writes FILE.mask.fits with
a plane for each class. It needs images of 400 pixels or more: the stamps of an attack are put side by side, one mosaic
for each band, once as they were and once attacked. A galaxy is caught if a pixel of its stamp is masked that was not
masked before.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

from photoz_morph.photoz.robustness.attack_files import MAXIMASK, attack_format
from photoz_morph.runs.attacks import IMAGES
from photoz_morph.system.fits import open_fits
from photoz_morph.system.json_files import write_atomically

SMALLEST_SIDE = 400  # pixel; what its network sees at once
CLASSES = ("CR", "HP", "DP")  # cosmic rays, hot pixels, dead pixels
MASKED = 0.5  # probability; masks that are 0 or 1 already have no values between


def check_maximask(program="maximask"):
    """Raise a ValueError if the program is not there."""
    if shutil.which(program) is None:
        raise ValueError(f"{program}: not found on the PATH; `pip install maximask`, or leave out --maximask")


def ask_maximask(folder, program="maximask"):
    """Ask MaxiMask about the moved galaxies of an attack, and write `maximask.json` into its folder.

    Parameters
    ----------
    folder : path-like
        A finished attack.
    program : str

    Returns
    -------
    ndarray of bool, shape (n,)
        Whether each galaxy of the attack is caught; False for those that were not moved.

    Raises
    ------
    RuntimeError
        If the program fails.
    ValueError
        If it writes something else than masks of these images.
    """
    table, images = attack_format().read(folder)
    moved, caught = np.asarray(table["moved"], bool), np.zeros(len(table), bool)
    if moved.any():
        masks = [_masks(images[name][moved], name, program) for name in IMAGES]
        caught[moved] = np.any(masks[1] & ~masks[0], axis=(1, 2, 3))
    content = {"obj_id": np.asarray(table["obj_id"]).tolist(), "caught": caught.tolist(), "classes": CLASSES}
    write_atomically(Path(folder) / MAXIMASK, json.dumps(content, indent=1))
    return caught


def mosaics(stamps):
    """Stamps side by side in a square of `SMALLEST_SIDE` or more, those that are left over the first ones again.

    Parameters
    ----------
    stamps : ndarray, shape (n, size, size, n_bands)

    Returns
    -------
    ndarray, shape (n_bands, side, side)
    """
    n, size, _, n_bands = stamps.shape
    n_side = max(-(-SMALLEST_SIDE // size), int(np.ceil(np.sqrt(n))))
    grid = stamps[np.arange(n_side**2) % n].reshape(n_side, n_side, size, size, n_bands)
    return grid.transpose(4, 0, 2, 1, 3).reshape(n_bands, n_side * size, n_side * size)


def stamps_of(planes, n, size):
    """The first stamps of mosaics: shape (n, size, size, n_bands)."""
    n_bands, side, _ = planes.shape
    n_side = side // size
    grid = planes.reshape(n_bands, n_side, size, n_side, size).transpose(1, 3, 2, 4, 0)
    return grid.reshape(n_side**2, size, size, n_bands)[:n]


def _masks(stamps, name, program):
    """Masked pixels of stamps, of the shape of the stamps."""
    planes = mosaics(stamps)
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / f"{name}.fits", Path(folder) / f"{name}.mask.fits"
        hdus = [(fits.ImageHDU if band else fits.PrimaryHDU)(plane.astype(np.float32))
                for band, plane in enumerate(planes)]  # fmt: skip
        fits.HDUList(hdus).writeto(path)
        found = subprocess.run([program, str(path)], capture_output=True, text=True)
        if found.returncode or not out.exists():
            words = found.stderr.strip().splitlines() or ["it said nothing"]
            raise RuntimeError(f"{program} wrote no mask of {name} images (exit {found.returncode}): {words[-1]}")
        masks = []
        with open_fits(out, "a mask of MaxiMask", "check its version") as written:
            for hdu in written:
                cards = [f"{kind}_DIM" for kind in CLASSES if f"{kind}_DIM" in hdu.header]
                mask = np.asarray(hdu.data)
                if not cards or mask.shape[1:] != planes.shape[1:]:
                    raise ValueError(f"{program}: its mask has shape {mask.shape} and {cards}; check its version")
                numbers = [int(hdu.header[card]) for card in cards]
                masks.append(np.any(mask[numbers] > MASKED, axis=0))
    if len(masks) != len(planes):
        raise ValueError(f"{program}: wrote {len(masks)} masks of {len(planes)} images; check its version")
    return stamps_of(np.stack(masks), len(stamps), stamps.shape[1])
