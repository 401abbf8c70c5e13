"""Scenes in .npz files of scarlet (Melchior et al. 2018): simulated blends with their truth, and cuts of HSC images.

A file holds `images` (n_bands, height, width), and may hold `psfs`, the names `filters`, `variance`, and what is known
of the sources: `catalog` with `x`, `y` and, of simulated ones, `index`, `is_star`, `redshift` and the noise-free images
`intensity_BAND` of the bulge, disk or whole of a source; or `centers` (y, x).
"""

import zipfile
from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.blend.scenes.scene import UNKNOWN_KIND, Scene
from photoz_morph.shards.blends import STAR
from photoz_morph.simulation.blends.truth import SourceImage, measure_sources
from photoz_morph.stacking.noise import clipped_sigma

DARKEST = 0.3  # fraction of the pixels in which the noise of a simulated image is measured; our choice


def read_scarlet_scene(path):
    """Scene of a file of scarlet.

    Parameters
    ----------
    path : path-like
        .npz

    Returns
    -------
    Scene
        Its `sigma` is that of the variance in the file; without one, of the image without the true sources; without
        these, of the clipped image. Masks are left alone, whose bits every pipeline numbers in its own way.

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file is no such file, or its arrays do not fit each other.
    """
    path = Path(path)
    arrays = _load(path)
    if "images" not in arrays or arrays["images"].ndim != 3:
        raise ValueError(f"{path}: no array `images` of shape (n_bands, height, width); give a scene of scarlet")
    image = np.moveaxis(arrays["images"], 0, -1).astype(np.float32)
    n_bands = image.shape[-1]
    bands = tuple(str(band) for band in arrays.get("filters", np.arange(n_bands)))
    if len(bands) != n_bands:
        raise ValueError(f"{path}: {len(bands)} filters but images of {n_bands} bands; give a scene of scarlet")
    truth, source_images = _truth(path, arrays, bands, image)
    sigma = _sigma(path, arrays, image, source_images)
    instances = None
    if source_images is not None:
        instances, columns = measure_sources([SourceImage(one) for one in source_images], image.shape[:2], sigma)
        for name, values in columns.items():
            truth[name] = values
    psfs = np.asarray(arrays["psfs"], float) if "psfs" in arrays else None
    if psfs is not None and len(psfs) != n_bands:
        raise ValueError(f"{path}: {len(psfs)} psfs but images of {n_bands} bands; give a scene of scarlet")
    return Scene(path.stem, bands, image, sigma, psfs, truth, instances, source_images)


def _load(path):
    """Arrays of a file."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; give an .npz file of scarlet")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        # Not NumPy's own words, which advise to load what is no .npz file as a pickle, and so run its code.
        reason = "truncated, damaged or of Python objects"
        raise ValueError(f"{path}: cannot be read as .npz, {reason}; download it again") from error


def _truth(path, arrays, bands, image):
    """Table of the sources, None if none are told, and their noise-free images, None if there are none."""
    catalog, height, width = arrays.get("catalog"), *image.shape[:2]
    if catalog is None:
        if "centers" not in arrays:
            return None, None
        y, x = np.asarray(arrays["centers"], float).reshape(-1, 2).T
        return Table({"y": y, "x": x}), None
    names = catalog.dtype.names or ()
    if not {"x", "y"} <= set(names):
        raise ValueError(f"{path}: its catalog has no columns x and y; give a scene of scarlet")
    known = [f"intensity_{band}" for band in bands]
    if not set(known) <= set(names):
        return Table({"y": catalog["y"].astype(float), "x": catalog["x"].astype(float)}), None
    _, first, source = np.unique(catalog["index"], return_index=True, return_inverse=True)
    parts = np.stack([catalog[name] for name in known], axis=-1).astype(float)
    if parts.shape[1:] != image.shape:
        raise ValueError(f"{path}: sources of shape {parts.shape[1:]}, images of {image.shape}; download it again")
    source_images = np.zeros((len(first), *image.shape))
    np.add.at(source_images, source, parts)  # the bulge and the disk of a galaxy
    rows = catalog[first]
    # Positions count from the middle pixel n // 2, where the sources were not drawn if n is even: the light of the
    # stars of both simulations lies half a pixel below, and exactly there along odd axes.
    columns = {axis: rows[axis] - 0.5 * (n % 2 == 0) for axis, n in (("y", height), ("x", width))}
    columns["kind"] = np.where(rows["is_star"], STAR, UNKNOWN_KIND)
    columns["redshift"] = np.where(rows["is_star"], np.nan, rows["redshift"])
    return Table(columns), source_images


def _sigma(path, arrays, image, source_images):
    """Noise of the pixels or of the bands."""
    if "variance" in arrays:
        variance = np.moveaxis(arrays["variance"], 0, -1)
        if variance.shape != image.shape:
            raise ValueError(f"{path}: variance of shape {variance.shape}, images of {image.shape}; download it again")
        return np.where(variance > 0, np.sqrt(np.maximum(variance, 0), dtype=float), np.inf)
    if source_images is None:
        return np.array([clipped_sigma(band) for band in np.moveaxis(image, -1, 0)])
    # Photons of the sources add noise where they are bright, which is not the sky's.
    light = source_images.sum(axis=0)
    sigma = []
    for band, own in zip(np.moveaxis(image, -1, 0), np.moveaxis(light, -1, 0)):
        sigma.append(clipped_sigma((band - own)[own <= np.quantile(own, DARKEST)].astype(np.float32)))
    return np.array(sigma)
