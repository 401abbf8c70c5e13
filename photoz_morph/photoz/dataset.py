"""Batches of the photo-z dataset: selection, order and augmentation of the galaxies.

The folder is opened with `tfds.builder_from_directory`, which needs no builder code: the format on disk is the
contract. Order and augmentation are functions of (seed, epoch) and the galaxy's `obj_id` only, so an epoch that is
repeated after an interruption has the same batches.
"""

from functools import partial

import numpy as np
import tensorflow as tf

from photoz_morph.catalogs.depth import DEEP_FRAMES, at_depth
from photoz_morph.datasets import batches, reading
from photoz_morph.datasets.augmentation import augment, displace, random_element, redden
from photoz_morph.datasets.kept_galaxies import KeptGalaxies
from photoz_morph.datasets.reading import n_galaxies, read_galaxies
from photoz_morph.training.auxiliary import HEAD


def open_dataset(folder, survey):
    """Builder of the dataset of the stacks of a survey.

    Parameters
    ----------
    folder : path-like
        The folder given to `photoz build`, or the version folder in it.
    survey : Survey

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, another dataset, or of stacks of another pixel scale, size or unit than the survey's.
    """
    builder = reading.open_dataset(folder, survey.dataset_name)
    different = reading.survey_of(builder).difference(survey)
    if different:
        raise ValueError(
            f"{builder.data_dir}: was built from other stacks than the config describes as {survey.name} ({different}"
            "); give the same description in both, or build it again"
        )
    return builder


def split_sizes(builder):
    """Number of galaxies of each fold, in order."""
    return [builder.info.splits[f"fold_{fold}"].num_examples for fold in range(len(builder.info.splits))]


def training_columns(builder, observing=(), others=()):
    """The columns that training needs, each fold read from disk once, and the images of what fits in memory.

    Parameters
    ----------
    builder : tfds builder
    observing : sequence of str
        Observing conditions that the network is told.
    others : sequence of str
        Further columns.

    Raises
    ------
    ValueError
        If the dataset was built without one of them.
    """
    names = dict.fromkeys(("obj_id", "z_spec", "ebv", "n_frames", *observing, *others))
    missing = [name for name in names if name not in builder.info.features]
    if missing:
        raise ValueError(f"{builder.data_dir}: has no {missing[0]}; build it again, or leave it out of model.observing")
    return KeptGalaxies(builder, tuple(names))


def keep_in_memory(builder, splits, depth, columns):
    """Read the training and validation galaxies of a fold into `columns`, from `training_columns`, if they fit.

    Of one depth there are few among many, which are filtered and cached when they are first read.
    """
    if depth == "all" and _fits_in_memory(builder, n_galaxies(builder, splits.train)):
        columns.keep(splits.train)
        columns.keep(splits.validation)


def _fits_in_memory(builder, n_training):
    stamp_bytes = int(np.prod(builder.info.features["image"].shape)) * 4
    return n_training * stamp_bytes < batches.CACHE_LIMIT_BYTES


def count_at_depth(builder, split, depth, columns=None):
    """Number of galaxies of a split expression that are "deep", "shallow", or "all".

    `columns`, from `training_columns`, saves reading the dataset for it.
    """
    if depth == "all":
        return n_galaxies(builder, split)
    columns = columns or training_columns(builder)
    return int(np.sum(at_depth(columns(split)["n_frames"], depth)))


def image_batches(builder, split, batch_size, depth="all", columns=None, observing=(), others=None):
    """Batches of {"image", "ebv", *observing} in the stored order, of the galaxies of a depth.

    `columns` is that of `count_at_depth`; of galaxies that it keeps, `others` are further arrays to be given.
    """
    names = ("ebv", *observing)
    if depth == "all" and columns is not None and columns.has(split):
        return columns.batches(split, names, batch_size, others=others).prefetch(2)
    dataset = _galaxies_at_depth(builder, split, dict.fromkeys(("image", *names), True), depth, columns)
    return dataset.batch(batch_size).prefetch(2)


def augmentations_of(config):
    """What training changes in a galaxy beside its orientation, for `PhotozBatches`.

    Parameters
    ----------
    config : PhotozConfig

    Returns
    -------
    list of (int, callable)
        Stream of random numbers, and a function of a galaxy and a seed of that stream; see `batches.stream_seeds`.
    """
    data, changes = config.data, []
    if data.extra_ebv:
        options = {"extra_ebv": data.extra_ebv, "extinction_per_ebv": config.survey.extinction_per_ebv}
        changes.append((2, partial(redden, **options)))
    if data.shift or data.rotation == "any":
        changes.append((3, partial(displace, largest_shift=data.shift, any_angle=data.rotation == "any")))
    return changes


class PhotozBatches:
    """Training batches of one split; the galaxies are read from disk once if they fit in memory.

    Parameters
    ----------
    builder : tfds builder
    split : str
    grid : RedshiftGrid or None
        Without, batches have no target, and the redshifts are not read.
    batch_size : int
        Galaxies per step, over all replicas.
    label_sigma : float
        Width of the Gaussian target [bin]; 0 is the hard one-hot bin.
    depth : {"all", "deep", "shallow"}
        Depth of the galaxies.
    columns : KeptGalaxies, optional
        From `training_columns`; saves reading the dataset to count the galaxies of a depth, and again those that it
        keeps.
    observing : sequence of str
        Observing conditions that the network is told.
    augmentations : sequence
        From `augmentations_of`: beside a flip or rotation.
    auxiliary : AuxiliaryTargets, optional
        Targets of a second head.
    taught : TaughtPdfs, optional
        Targets of a teacher instead of those of z_spec.

    Attributes
    ----------
    measured : dict of str to ndarray, or None
        Further inputs of the galaxies of `columns`, in the stored order, which flips and rotations do not change.
    """

    measured = None
    _kept = None  # (KeptGalaxies, split) where the galaxies are in memory already
    auxiliary = taught = None

    def __init__(self, builder, split, grid, batch_size, label_sigma=0.0, depth="all", columns=None,
                 observing=(), augmentations=(), auxiliary=None, taught=None):  # fmt: skip
        self.grid, self.batch_size, self.label_sigma = grid, batch_size, label_sigma
        self._inputs = ("ebv", *observing)  # beside the image
        self.augmentations, self.auxiliary, self.taught = augmentations, auxiliary, taught
        others = auxiliary.names if auxiliary else ()
        known = () if grid is None else ("z_spec",)
        self._columns = tuple(dict.fromkeys((*self._inputs, *known, "obj_id", *others)))
        self.n_galaxies = count_at_depth(builder, split, depth, columns)
        self.is_cached = _fits_in_memory(builder, self.n_galaxies)
        if depth == "all" and columns is not None and columns.has(split):
            self._kept = columns, split
            return
        names = dict.fromkeys(("image", *self._columns), True)
        galaxies = _galaxies_at_depth(builder, split, names, depth, columns)
        self._galaxies = galaxies.cache() if self.is_cached else galaxies

    @property
    def only_turns(self):
        """Whether the galaxies are in memory, and flips and rotations by right angles all that changes in them."""
        return self._kept is not None and not self.augmentations

    @property
    def steps_per_epoch(self):
        """Full batches in one pass; the remainder waits for the next epoch's order."""
        return self.n_galaxies // self.batch_size

    def epoch(self, seed, epoch):
        """One pass in random order, each galaxy under a random flip or rotation and the other augmentations.

        Parameters
        ----------
        seed, epoch : int
            The pass is a function of these and nothing else.

        Returns
        -------
        tf.data.Dataset
            ({"image", "ebv", *observing}, target), target of shape (batch_size, n_bins); with targets of a second
            head {"redshift_pdf", "auxiliary"}. The inputs alone without a grid.
        """
        flips = batches.stream_seeds(seed, epoch, 1)[0]
        if self.only_turns:
            columns, split = self._kept
            turned = columns.batches(
                split, self._columns, self.batch_size, self._order(seed, epoch), partial(random_element, flips), True,
                self.measured,
            )  # fmt: skip
            return batches.divided(turned, self._network_input)
        galaxies = self._shuffled(seed, epoch)
        galaxies = galaxies.map(lambda galaxy: augment(galaxy, flips), tf.data.AUTOTUNE, deterministic=True)
        for stream, change in self.augmentations:
            changes = batches.stream_seeds(seed, epoch, stream)[0]
            galaxies = galaxies.map(partial(change, seed=changes), tf.data.AUTOTUNE, deterministic=True)
        return batches.full_batches(galaxies, self.batch_size, self._network_input)

    def obj_ids(self, seed, epoch, batch):
        """Identifiers of the galaxies of one batch of an epoch, shape (batch_size,), to name those of a bad loss."""
        return np.array(batches.obj_ids(self._shuffled(seed, epoch), batch, self.batch_size))

    def _shuffled(self, seed, epoch):
        """The galaxies in the order of an epoch."""
        order = self._order(seed, epoch)
        if self._kept:
            columns, split = self._kept
            return columns.galaxies(split, self._columns, order)
        return order(self._galaxies)

    def _order(self, seed, epoch):
        """Function that brings a dataset of galaxies, or of their rows, into the order of an epoch."""
        is_cached, order = self._kept is not None or self.is_cached, batches.stream_seeds(seed, epoch, 0)[0]
        return lambda galaxies: batches.shuffled(galaxies, self.n_galaxies, is_cached, order)

    def _network_input(self, batch):
        inputs = {name: batch[name] for name in ("image", *self._inputs, *(self.measured or ()))}
        if self.grid is None:
            return inputs
        target = self.taught(batch) if self.taught else bin_target(batch["z_spec"], self.grid, self.label_sigma)
        if self.auxiliary:
            target = {"redshift_pdf": target, HEAD: self.auxiliary(batch)}
        return inputs, target


def bin_target(z_spec, grid, label_sigma):
    """Target distribution over the redshift bins.

    Parameters
    ----------
    z_spec : tensor, shape (n,)
        On the grid, as `RedshiftGrid.contains` says: the bins are those of `RedshiftGrid.bin_index`.
    grid : RedshiftGrid
    label_sigma : float
        Width of the Gaussian about z_spec [bin]; 0 gives the hard one-hot bin of the paper.

    Returns
    -------
    tensor, shape (n, n_bins), float32
        Rows sum to one; NaN where z_spec is.
    """
    z_spec = tf.cast(z_spec, tf.float64)
    if label_sigma == 0:
        # By the edges themselves: a quotient rounded to the next bin, or to one below the first, has another target
        # than the bin that is scored, or none.
        index = tf.searchsorted(tf.constant(grid.edges), z_spec, side="right") - 1
        target = tf.one_hot(tf.clip_by_value(index, 0, grid.n_bins - 1), grid.n_bins, dtype=tf.float32)
        return tf.where(tf.math.is_nan(z_spec)[:, None], tf.constant(np.nan, tf.float32), target)
    position = (z_spec - grid.z_min) / grid.width
    centres = tf.range(grid.n_bins, dtype=tf.float64) + 0.5
    log_weight = -0.5 * ((centres - position[:, None]) / label_sigma) ** 2
    return tf.cast(tf.nn.softmax(log_weight), tf.float32)


def check_redshifts(columns, grid, source):
    """Raise a ValueError if the redshift of a galaxy lies outside the grid."""
    outside = ~grid.contains(columns["z_spec"])
    if outside.any():
        raise ValueError(
            f"{source}: {outside.sum()} galaxies have z_spec outside [{grid.z_min}, {grid.z_max}], the first is "
            f"{columns['obj_id'][outside][0]} with {columns['z_spec'][outside][0]}; cut the sample or widen the grid"
        )


def _galaxies_at_depth(builder, split, features, depth, columns):
    """Galaxies of a split and a depth in the stored order, with the named features and no others."""
    if depth == "all":
        return read_galaxies(builder, split, features)
    galaxies = read_galaxies(builder, split, {**features, "n_frames": True})

    def is_taken(galaxy):  # as `at_depth`
        n_frames = galaxy["n_frames"]
        is_deep = tf.reduce_all(n_frames >= DEEP_FRAMES)
        return is_deep if depth == "deep" else tf.reduce_all(tf.math.is_finite(n_frames)) & ~is_deep

    # Keras warns that the data ran out unless it knows their number.
    galaxies = galaxies.filter(is_taken).apply(
        tf.data.experimental.assert_cardinality(count_at_depth(builder, split, depth, columns))
    )
    return galaxies.map(lambda galaxy: {name: galaxy[name] for name in features})
