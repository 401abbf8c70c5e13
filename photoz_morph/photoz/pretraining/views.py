"""Batches of two augmented views of each galaxy, as functions of (seed, epoch) and its `obj_id`."""

import numpy as np
import tensorflow as tf

from photoz_morph.datasets import batches
from photoz_morph.datasets.augmentation import augment
from photoz_morph.datasets.reading import n_galaxies, read_galaxies
from photoz_morph.photoz.dataset import bin_target

__all__ = ["ViewBatches", "colours_of", "view"]

CHANGES_OF_A_VIEW = 5  # streams of random numbers: dust, shift, amount of noise, noise, flip


def view(galaxy, seeds, settings, survey):
    """A galaxy as it might be seen another time.

    Parameters
    ----------
    galaxy : dict of str to tensor
        `image`, shape (size, size, n_bands), `ebv`, `obj_id` and the observing conditions that the network is told.
    seeds : sequence of int
        As many as `CHANGES_OF_A_VIEW`; what is drawn is a function of these and `obj_id`.
    settings : PretrainConfig
    survey : Survey

    Returns
    -------
    dict of str to tensor
        The galaxy behind more dust, which `ebv` tells, shifted by whole pixels (with 0, the sky, where there is
        nothing), with more noise, which `sky_sigma` tells if it is there, and flipped or rotated.
    """
    keys = [tf.stack([tf.constant(seed, tf.int64), tf.cast(galaxy["obj_id"], tf.int64)]) for seed in seeds]
    galaxy, image = dict(galaxy), galaxy["image"]
    extra = tf.random.stateless_uniform((), keys[0], 0.0, settings.extra_ebv) if settings.extra_ebv else 0.0
    dimming = 10 ** (-0.4 * extra * tf.constant(survey.extinction_per_ebv, tf.float32))
    image, galaxy["ebv"] = image * dimming, galaxy["ebv"] + extra
    if settings.shift:
        first = tf.random.stateless_uniform((2,), keys[1], 0, 2 * settings.shift + 1, tf.int32)
        padded = tf.pad(image, [[settings.shift] * 2, [settings.shift] * 2, [0, 0]])
        image = tf.slice(padded, [first[0], first[1], 0], survey.image_shape)
    if settings.noise:
        sky_sigma = tf.constant(survey.sky_sigma, tf.float32)
        sigma = tf.random.stateless_uniform((), keys[2], 0.0, settings.noise) * sky_sigma
        image = image + sigma * tf.random.stateless_normal(survey.image_shape, keys[3])
        if "sky_sigma" in galaxy:
            galaxy["sky_sigma"] = tf.sqrt((galaxy["sky_sigma"] * dimming) ** 2 + sigma**2)
    elif "sky_sigma" in galaxy:
        galaxy["sky_sigma"] *= dimming
    return augment({**galaxy, "image": image}, seeds[4])


def colours_of(mags, ebv, survey):
    """Colours between neighbouring bands, corrected for Galactic dust.

    Parameters
    ----------
    mags : array, shape (n, n_bands)
        [mag]
    ebv : array, shape (n,)
        [mag]
    survey : Survey

    Returns
    -------
    array, shape (n, n_bands - 1)
        [mag]; NaN where a magnitude is.
    """
    mags = mags - ebv[..., None] * np.asarray(survey.extinction_per_ebv, np.float32)
    return mags[..., :-1] - mags[..., 1:]


class ViewBatches:
    """Training batches of one split.

    Parameters
    ----------
    builder : tfds builder
    split : str
    columns : KeptGalaxies
        Of `names`; galaxies that fit in memory are kept there.
    names : sequence of str
        Features of a galaxy beside its image.
    config : PhotozConfig
    labelled : ndarray of int
        `obj_id` of the galaxies whose redshift is told.
    colour_scale : (ndarray, ndarray)
        Middle and scatter of each colour, shape (n_bands - 1,) [mag].
    batch_size : int
    """

    def __init__(self, builder, split, columns, names, config, labelled, colour_scale, batch_size):
        self.batch_size, self.n_galaxies = batch_size, n_galaxies(builder, split)
        self._config, self._names, self._colour_scale = config, names, colour_scale
        self._labelled = np.sort(np.asarray(labelled, np.int64))
        self._split, self._columns, self._galaxies = split, columns, None
        size = self.n_galaxies * int(np.prod(config.survey.image_shape)) * 4
        if size < batches.CACHE_LIMIT_BYTES:
            columns.keep(split)
        else:
            self._galaxies = read_galaxies(builder, split, dict.fromkeys(("image", *names), True))

    @property
    def steps_per_epoch(self):
        """Full batches in one pass."""
        return self.n_galaxies // self.batch_size

    def epoch(self, seed, epoch):
        """One pass in random order: ({"first", "second"}, {"redshift", "colours"}), see `TripleLossNetwork`."""
        survey, settings = self._config.survey, self._config.pretrain
        seeds = [batches.stream_seeds(seed, epoch, stream, CHANGES_OF_A_VIEW) for stream in (1, 2)]

        def with_views(galaxy):
            views = {name: view(galaxy, numbers, settings, survey) for name, numbers in zip(("first", "second"), seeds)}
            return {**{name: galaxy[name] for name in ("z_spec", "mags", "ebv", "obj_id")}, **views}

        galaxies = self._shuffled(seed, epoch).map(with_views, tf.data.AUTOTUNE, deterministic=True)
        return batches.full_batches(galaxies, self.batch_size, self._network_input)

    def obj_ids(self, seed, epoch, batch):
        """Identifiers of the galaxies of one batch of an epoch, shape (batch_size,)."""
        return np.array(batches.obj_ids(self._shuffled(seed, epoch), batch, self.batch_size))

    def _shuffled(self, seed, epoch):
        """The galaxies in the order of an epoch."""
        order = batches.stream_seeds(seed, epoch, 0)[0]
        if self._galaxies is None:
            return self._columns.galaxies(
                self._split, self._names, lambda rows: batches.shuffled(rows, self.n_galaxies, True, order)
            )
        return batches.shuffled(self._galaxies, self.n_galaxies, False, order)

    def _network_input(self, batch):
        grid, inputs = self._config.redshift, ("image", "ebv", *self._config.model.observing)
        z_spec = tf.cast(batch["z_spec"], tf.float64)
        is_told = self._is_labelled(batch["obj_id"]) & (z_spec >= grid.z_min) & (z_spec <= grid.z_max)
        z_spec = tf.where(is_told, z_spec, tf.constant(np.nan, tf.float64))
        middle, scatter = self._colour_scale
        colours = (colours_of(batch["mags"], batch["ebv"], self._config.survey) - middle) / scatter
        targets = {
            "redshift": bin_target(z_spec, grid, self._config.train.label_sigma),
            "colours": tf.ensure_shape(colours, (self.batch_size, self._config.survey.n_bands - 1)),
        }
        return {name: {key: batch[name][key] for key in inputs} for name in ("first", "second")}, targets

    def _is_labelled(self, obj_id):
        """True for the galaxies whose redshift is told, shape (n,)."""
        if len(self._labelled) == 0:
            return tf.zeros_like(obj_id, tf.bool)
        index = tf.minimum(tf.searchsorted(self._labelled, obj_id), len(self._labelled) - 1)
        return tf.gather(self._labelled, index) == obj_id
