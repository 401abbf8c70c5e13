"""Galaxies and their maps of a dataset of `blend build`, as arrays in the stored order."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from photoz_morph.blend.maps.targets import FAINTEST, UNITS, counted_pixels
from photoz_morph.datasets import reading

NAME = "lsst_maps"
FEATURES = ("image", "maps", "brightness", "obj_id", "group_id")


@dataclass(frozen=True)
class MappedGalaxies:
    """Galaxies with their maps.

    Attributes
    ----------
    images : ndarray, shape (n, size, size, 3), float32
        [nJy]
    maps : ndarray, shape (n, size, size, 4), float32
        In the order of `targets.UNITS`, NaN where there is no light.
    inside : ndarray of bool, shape (n, size, size)
        Pixels that count: above the surface brightness.
    obj_id, group_id : ndarray of int, shape (n,)
    """

    images: np.ndarray
    maps: np.ndarray
    inside: np.ndarray
    obj_id: np.ndarray
    group_id: np.ndarray


def open_map_dataset(folder):
    """Builder of the dataset of galaxies with maps in a folder.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, another dataset, or its maps are others.
    """
    builder = reading.open_dataset(folder, NAME)
    names = tuple(builder.info.metadata["maps"].split(","))
    if names != tuple(UNITS):
        raise ValueError(f"{builder.data_dir}: its maps are {', '.join(names)}, not {', '.join(UNITS)}; build it again")
    return builder


def read_mapped_galaxies(builder, split, faintest=FAINTEST):
    """Galaxies of a split; 64 x 64 pixels take 0.13 MB each.

    Parameters
    ----------
    builder : tfds builder
        From `open_map_dataset`.
    split : str
        Such as "train" or "test[:100]".
    faintest : float
        Limit in r of the pixels that count [mag/arcsec^2].

    Returns
    -------
    MappedGalaxies

    Raises
    ------
    RuntimeError
        If a file of the dataset is damaged.
    """
    examples = reading.read_galaxies(builder, split, dict.fromkeys(FEATURES, True)).batch(256)
    try:
        parts = list(examples.as_numpy_iterator())
    except tf.errors.OpError as error:
        raise reading.damage(builder, split, error) from error
    columns = {name: np.concatenate([part[name] for part in parts]) for name in FEATURES}
    metadata = builder.info.metadata
    inside = counted_pixels(columns["brightness"], metadata["zero_point"], metadata["pixel_scale"], faintest)
    inside &= np.isfinite(columns["maps"]).all(axis=-1)
    return MappedGalaxies(columns["image"], columns["maps"], inside, columns["obj_id"], columns["group_id"])
