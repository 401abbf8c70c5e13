"""Prepared dataset to batches: which galaxies, in which order, how augmented.

The folder is opened with `tfds.builder_from_directory`, which needs no builder code: the format on disk is the
contract. Order and augmentation are functions of (seed, epoch) and the galaxy's `obj_id` only, so an epoch that is
run again after a kill sees the same batches.
"""

import re
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from google.protobuf import json_format

from photoz_morph.trials import DEEP_FRAMES, at_depth

CACHE_LIMIT_BYTES = 2**31  # a training set below this stays in memory; the 10,000 galaxies of the default have 0.8 GB
SHUFFLE_BUFFER = 8192  # galaxies; 0.7 GB of stacks, where the set is read from disk


BUILD_COMMANDS = {"sdss_ugriz": "photoz build STACKS", "tng_lsst_mocks": "morph build MOCKS"}


def open_dataset(folder, name="sdss_ugriz"):
    """Builder of the dataset `photoz build` or `morph build` wrote.

    Parameters
    ----------
    folder : path-like
        The folder given to `build`, or the version folder in it.
    name : {"sdss_ugriz", "tng_lsst_mocks"}

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged.
    """
    folder = Path(folder)
    found = sorted(folder.glob(f"{name}/*/dataset_info.json")) or sorted(folder.glob("dataset_info.json"))
    if not found:
        raise FileNotFoundError(
            f"{folder}: no prepared dataset there; make it with `{BUILD_COMMANDS[name]} --data-dir {folder}`"
        )
    try:
        builder = tfds.builder_from_directory(found[-1].parent)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AssertionError, json_format.ParseError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{found[-1].parent}: not a dataset, or a damaged one ({reason}); build it again with --overwrite"
        ) from error
    if builder.name != name:
        raise ValueError(f"{found[-1].parent}: holds {builder.name}, {name} is needed; give another --data-dir")
    return builder


def split_sizes(builder):
    """Number of galaxies of each fold, in order."""
    return [builder.info.splits[f"fold_{fold}"].num_examples for fold in range(len(builder.info.splits))]


def n_galaxies(builder, split):
    """Number of galaxies of a split expression."""
    return builder.info.splits[split].num_examples


def read_columns(builder, split):
    """All features but the images, as arrays in the stored order, in which galaxies are predicted too.

    Returns
    -------
    dict of str to ndarray, first axis n

    Raises
    ------
    RuntimeError
        If a file of the dataset is damaged.
    """
    names = {name: True for name in builder.info.features if not name.startswith("image")}
    dataset = read_galaxies(builder, split, names).batch(1024)
    try:
        parts = list(dataset.as_numpy_iterator())
    except tf.errors.OpError as error:
        reason = re.sub(r"\{\{.*?\}\} |\[Op:.*", "", " ".join(str(error).split())).strip()
        raise RuntimeError(
            f"{builder.data_dir}, {split}: TensorFlow: {reason}; build the dataset again with --overwrite"
        ) from error
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def count_at_depth(builder, split, depth):
    """Number of galaxies of a split expression that are "deep", "shallow", or "all"."""
    if depth == "all":
        return n_galaxies(builder, split)
    return int(np.sum(at_depth(read_columns(builder, split)["n_frames"], depth)))


def image_batches(builder, split, batch_size, depth="all"):
    """Batches of {"image", "ebv"} in the stored order, of the galaxies of a depth."""
    dataset = _galaxies_at_depth(builder, split, {"image": True, "ebv": True}, depth)
    return dataset.batch(batch_size).prefetch(2)


class PhotozBatches:
    """Training and validation batches of one split; the galaxies are read from disk once if they fit in memory.

    Parameters
    ----------
    builder : tfds builder
    split : str
    grid : RedshiftGrid
    batch_size : int
        Galaxies per step, over all replicas.
    label_sigma : float
        Width of the Gaussian target [bin]; 0 is the hard one-hot bin.
    depth : {"all", "deep", "shallow"}
        Of the galaxies taken.
    """

    def __init__(self, builder, split, grid, batch_size, label_sigma=0.0, depth="all"):
        self.grid, self.batch_size, self.label_sigma = grid, batch_size, label_sigma
        self.n_galaxies = count_at_depth(builder, split, depth)
        features = {"image": True, "ebv": True, "z_spec": True, "obj_id": True}
        galaxies = _galaxies_at_depth(builder, split, features, depth)
        stamp_bytes = int(np.prod(builder.info.features["image"].shape)) * 4
        self.is_cached = self.n_galaxies * stamp_bytes < CACHE_LIMIT_BYTES
        self._galaxies = galaxies.cache() if self.is_cached else galaxies

    @property
    def steps_per_epoch(self):
        """Full batches in one pass; the remainder waits for the next epoch's order."""
        return self.n_galaxies // self.batch_size

    def epoch(self, seed, epoch):
        """One pass in random order, each galaxy under a random flip or rotation.

        Parameters
        ----------
        seed, epoch : int
            The pass is a function of these and nothing else.

        Returns
        -------
        tf.data.Dataset
            ({"image", "ebv"}, target), target of shape (batch_size, n_bins).
        """
        flips = int(np.random.SeedSequence([seed, epoch, 1]).generate_state(1)[0])
        galaxies = self._shuffled(seed, epoch)
        galaxies = galaxies.map(lambda galaxy: augment(galaxy, flips), tf.data.AUTOTUNE, deterministic=True)
        return self._batches(galaxies)

    def obj_ids(self, seed, epoch, batch):
        """Identifiers of the galaxies of one batch of an epoch, shape (batch_size,): whom a bad loss points at."""
        galaxies = self._shuffled(seed, epoch).skip(batch * self.batch_size).take(self.batch_size)
        return np.array([galaxy["obj_id"] for galaxy in galaxies.as_numpy_iterator()])

    def _shuffled(self, seed, epoch):
        """The galaxies in the order of an epoch."""
        order = int(np.random.SeedSequence([seed, epoch, 0]).generate_state(1)[0])
        buffer = self.n_galaxies if self.is_cached else min(self.n_galaxies, SHUFFLE_BUFFER)
        return self._galaxies.shuffle(buffer, seed=order, reshuffle_each_iteration=False)

    def _batches(self, galaxies):
        return full_batches(galaxies, self.batch_size, self._network_input)

    def _network_input(self, batch):
        target = bin_target(batch["z_spec"], self.grid, self.label_sigma)
        return {"image": batch["image"], "ebv": batch["ebv"]}, target


def full_batches(galaxies, batch_size, network_input):
    """Batches of a dataset under a function, without the remainder, to be shared among replicas by element."""
    # An uneven last batch would make replicas take a wrong step (reference: split [1, 0] halves the update).
    batches = galaxies.batch(batch_size, drop_remainder=True)
    batches = batches.map(network_input, tf.data.AUTOTUNE, deterministic=True)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.prefetch(2).with_options(options)


def augment(galaxy, seed):
    """The galaxy under one of the eight flips and rotations, chosen by (seed, obj_id)."""
    element = tf.random.stateless_uniform((), [seed, galaxy["obj_id"]], 0, 8, tf.int32)
    return {**galaxy, "image": dihedral(galaxy["image"], element)}


def dihedral(image, element):
    """Image under element 0 ... 7 of the symmetry group of the square; 0 leaves it as it is.

    Parameters
    ----------
    image : tensor, shape (size, size, n_bands)
    element : int tensor

    Returns
    -------
    tensor, shape (size, size, n_bands)
    """
    shape = image.shape
    image = tf.cond(element & 1 > 0, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    image = tf.cond(element & 2 > 0, lambda: tf.reverse(image, [0]), lambda: image)
    image = tf.cond(element & 4 > 0, lambda: tf.reverse(image, [1]), lambda: image)
    return tf.ensure_shape(image, shape)


def bin_target(z_spec, grid, label_sigma):
    """Target distribution over the redshift bins.

    Parameters
    ----------
    z_spec : tensor, shape (n,)
    grid : RedshiftGrid
    label_sigma : float
        Width of the Gaussian about z_spec [bin]; 0 gives the hard one-hot bin of the paper.

    Returns
    -------
    tensor, shape (n, n_bins), float32
        Rows sum to one.
    """
    position = (tf.cast(z_spec, tf.float64) - grid.z_min) / grid.width
    if label_sigma == 0:
        index = tf.minimum(tf.cast(tf.floor(position), tf.int32), grid.n_bins - 1)
        return tf.one_hot(index, grid.n_bins, dtype=tf.float32)
    centres = tf.range(grid.n_bins, dtype=tf.float64) + 0.5
    log_weight = -0.5 * ((centres - position[:, None]) / label_sigma) ** 2
    return tf.cast(tf.nn.softmax(log_weight), tf.float32)


def check_redshifts(columns, grid, source):
    """Raise a ValueError if a galaxy has its redshift outside the grid."""
    outside = ~grid.contains(columns["z_spec"])
    if outside.any():
        raise ValueError(
            f"{source}: {outside.sum()} galaxies have z_spec outside [{grid.z_min}, {grid.z_max}], the first is "
            f"{columns['obj_id'][outside][0]} with {columns['z_spec'][outside][0]}; cut the sample or widen the grid"
        )


def _galaxies_at_depth(builder, split, features, depth):
    """Galaxies of a split and a depth in the stored order, with the named features and no others."""
    if depth == "all":
        return read_galaxies(builder, split, features)
    galaxies = read_galaxies(builder, split, {**features, "n_frames": True})

    def is_taken(galaxy):  # as `at_depth`
        n_frames = galaxy["n_frames"]
        is_deep = tf.reduce_all(n_frames >= DEEP_FRAMES)
        return is_deep if depth == "deep" else tf.reduce_all(tf.math.is_finite(n_frames)) & ~is_deep

    # Keras warns of data that run out unless it knows their number.
    galaxies = galaxies.filter(is_taken).apply(
        tf.data.experimental.assert_cardinality(count_at_depth(builder, split, depth))
    )
    return galaxies.map(lambda galaxy: {name: galaxy[name] for name in features})


def read_galaxies(builder, split, features):
    """Galaxies of a split in the stored order, decoding only the named features."""
    settings = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False, add_tfds_id=False)
    return builder.as_dataset(
        split=split, shuffle_files=False, read_config=settings, decoders=tfds.decode.PartialDecoding(features)
    )
