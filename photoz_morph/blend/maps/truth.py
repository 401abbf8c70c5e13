"""What is asked of the images of a dataset, as arrays in the stored order: maps, fields, or parameters.

Three answers are asked for. `maps`: those of the stars and dust of a galaxy, of its image. `field`: the field of matter
behind an observation. `parameters`: those of the simulation, of a field.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from photoz_morph.blend.maps.galaxies import read_mapped_galaxies
from photoz_morph.blend.maps.targets import UNITS
from photoz_morph.datasets import reading

# Answer -> features of the dataset for the network: image and right output.
FEATURES = {"maps": ("image", "maps"), "field": ("image", "field"), "parameters": ("field", "parameters")}


@dataclass(frozen=True)
class Truth:
    """Images and the right answers.

    Attributes
    ----------
    answer : str
        Key of `FEATURES`.
    images : ndarray, shape (n, size, size, n_bands), float32
        What a network sees: galaxies in g, r, i; an observed field and where it is seen; or a field.
    values : ndarray, float32
        Maps or fields, shape (n, size, size, n_maps), maps NaN where there is no light; or parameters, shape
        (n, n_parameters).
    inside : ndarray of bool, shape (n, size, size)
        Pixels that count.
    obj_id, group_id : ndarray of int, shape (n,)
    names : tuple of str
        Of maps or parameters, in the order of the last axis.
    """

    answer: str
    images: np.ndarray
    values: np.ndarray
    inside: np.ndarray
    obj_id: np.ndarray
    group_id: np.ndarray
    names: tuple


def answers_of(builder):
    """Answers that the images of a dataset can be asked for; none of datasets of several sources."""
    names = set(builder.info.features)
    return tuple(answer for answer, features in FEATURES.items() if names.issuperset(features))


def read_truth(builder, answer, split):
    """Images of a split and what is asked of them.

    Parameters
    ----------
    builder : tfds builder
        Of a dataset `lsst_maps` or `cosmology_fields`.
    answer : str
        Of `answers_of`.
    split : str
        Such as "train" or "test[:100]"; all of it is read into memory.

    Returns
    -------
    Truth

    Raises
    ------
    RuntimeError
        If a file of the dataset is damaged.
    """
    if answer == "maps":
        found = read_mapped_galaxies(builder, split)
        return Truth(answer, found.images, found.maps, found.inside, found.obj_id, found.group_id, tuple(UNITS))
    names = (*FEATURES[answer], "obj_id", "group_id")
    examples = reading.read_galaxies(builder, split, dict.fromkeys(names, True)).batch(256)
    try:
        parts = list(examples.as_numpy_iterator())
    except tf.errors.OpError as error:
        raise reading.damage(builder, split, error) from error
    images, values, obj_id, group_id = (np.concatenate([part[name] for part in parts]) for name in names)
    labels = tuple(builder.info.metadata["parameters"].split(",")) if answer == "parameters" else ("field",)
    return Truth(answer, images, values, np.ones(images.shape[:3], bool), obj_id, group_id, labels)
