"""Batches of the images of a split: training ones in the order of an epoch, others whole and in the stored order."""

import numpy as np
import tensorflow as tf

from photoz_morph.blend.deblended import HEAD
from photoz_morph.blend.maps.targets import UNITS, faintest_flux
from photoz_morph.blend.maps.truth import FEATURES
from photoz_morph.blend.samples.middle import middle_galaxy
from photoz_morph.blend.samples.squares import OF_SOURCES, padded, random_square, turned
from photoz_morph.blend.samples.targets import target_function
from photoz_morph.datasets import augmentation, batches, reading
from photoz_morph.shards.blends import CLASS_NAMES

ORDER, SQUARES, TURNS, DRAWS = range(4)  # streams of `batches.stream_seeds`
OF_LIGHT = ("pixels", "first_pixel", "place")
VALIDATION_SEED = 0  # of what networks draw for validation images, the same in all epochs


class BlendBatches:
    """Training batches of a network.

    Parameters
    ----------
    builder : tfds builder
    config : BlendConfig
    n_sources : int
        Rows of the arrays of sources.
    n_latent : int, optional
        Numbers that a probabilistic U-Net draws.
    """

    def __init__(self, builder, config, n_sources, n_latent=None):
        self.batch_size, self.crop = config.data.batch_size, config.data.crop
        self.is_augmented, self.n_sources, self.n_latent = config.data.augment, n_sources, n_latent
        self.n_galaxies = reading.n_galaxies(builder, "train")  # images, by the name that `training.fit` has for them
        shape = builder.info.features["image"].shape
        self.is_cached = self.n_galaxies * int(np.prod(shape)) * 4 < batches.CACHE_LIMIT_BYTES
        images = read_images(builder, "train", config)
        self._images = images.cache() if self.is_cached else images
        self._config = config

    @property
    def steps_per_epoch(self):
        """Full batches in one pass; the remainder waits for the next epoch's order."""
        return self.n_galaxies // self.batch_size

    def epoch(self, seed, epoch):
        """One pass over the images.

        Parameters
        ----------
        seed, epoch : int
            The pass is a function of these and nothing else.

        Returns
        -------
        tf.data.Dataset
            (inputs, right outputs) of the network of the config.
        """
        squares, turns, draws = (batches.stream_seeds(seed, epoch, use)[0] for use in (SQUARES, TURNS, DRAWS))

        def show(example):
            if self.crop is not None:
                example = random_square(example, self.crop, squares)
            if self.is_augmented:
                example = turned(example, augmentation.random_element(turns, example["obj_id"]))
            return _finished(example, self.n_sources, self.n_latent, draws)

        shown = self._shuffled(seed, epoch).map(show, tf.data.AUTOTUNE, deterministic=True)
        return batches.full_batches(shown, self.batch_size, network_function(self._config))

    def obj_ids(self, seed, epoch, batch):
        """Identifiers of the images of one batch of an epoch, to name those of a bad loss."""
        return batches.obj_ids(self._shuffled(seed, epoch), batch, self.batch_size)

    def _shuffled(self, seed, epoch):
        order = batches.stream_seeds(seed, epoch, ORDER)[0]
        return batches.shuffled(self._images, self.n_galaxies, self.is_cached, order)


def validation_batches(builder, config, split, n_sources, n_latent=None):
    """Batches of whole images in the stored order, for the loss.

    Parameters
    ----------
    builder, config, n_sources, n_latent
        As for `BlendBatches`.
    split : str
        Such as "validation[:100]".

    Returns
    -------
    tf.data.Dataset
        (inputs, right outputs).
    """
    images = read_images(builder, split, config)
    finished = images.map(lambda example: _finished(example, n_sources, n_latent, VALIDATION_SEED))
    return finished.batch(config.data.batch_size).map(network_function(config)).prefetch(2)


def network_function(config):
    """Function of a batch of images to the inputs and right outputs of the network of a config."""
    if config.deblends:
        return _of_deblender
    if config.answer in FEATURES:
        return lambda batch: ({"image": batch["image"]}, {config.answer: batch["truth"]})
    targets = target_function(config)
    return lambda batch: ({"image": batch["image"]}, targets(batch))


def read_images(builder, split, config):
    """Images of a split in the stored order, with what the network of a config is trained on.

    Returns
    -------
    tf.data.Dataset
        Dicts of tensors: of a network that finds sources as in `squares`; of a deblender `image`, `truth`, the
        noise-free image of the galaxy in the middle, and `obj_id`; of others likewise, `truth` their right output.
    """
    if config.answer in FEATURES:
        return _read_answers(builder, split, config.answer)
    names = ["image", "obj_id", *(("y", "x", *OF_LIGHT) if config.deblends else ("instances", *OF_SOURCES))]
    images = reading.read_galaxies(builder, split, dict.fromkeys(names, True))

    def prepared(example):
        if config.deblends:
            return {name: example[name] for name in ("image", "obj_id")} | {"truth": middle_galaxy(example)}
        return example

    return images.map(prepared, tf.data.AUTOTUNE, deterministic=True)


def _read_answers(builder, split, answer):
    """Images of a split and the right output of a network that gives maps, a field or parameters."""
    names = (*FEATURES[answer], "obj_id", *(("brightness",) if answer == "maps" else ()))
    images = reading.read_galaxies(builder, split, dict.fromkeys(names, True))
    metadata = builder.info.metadata

    def prepared(example):
        image, truth = (example[name] for name in FEATURES[answer])
        if answer == "maps":
            centre, scale = tf.unstack(tf.constant(list(UNITS.values()), tf.float32), axis=1)
            counts = example["brightness"] > faintest_flux(metadata["zero_point"], metadata["pixel_scale"])
            truth = tf.where(counts[..., None], (truth - centre) / scale, np.float32(np.nan))
        return {"image": image, "truth": truth, "obj_id": example["obj_id"]}

    return images.map(prepared, tf.data.AUTOTUNE, deterministic=True)


def training_counts(builder, split="train"):
    """Largest number of sources of an image of a split, and number of its pixels of each class.

    Returns
    -------
    n_sources : int
    n_pixels : ndarray of int, shape (n_classes,)

    Raises
    ------
    RuntimeError
        If a file of the dataset is damaged.
    """
    images = reading.read_galaxies(builder, split, {"instances": True, "kind": True}).prefetch(2)
    n_sources, n_pixels = 1, np.zeros(len(CLASS_NAMES), np.int64)
    try:
        for image in images.as_numpy_iterator():
            n_sources = max(n_sources, len(image["kind"]))
            classes = np.concatenate([[0], image["kind"]])[image["instances"]]
            n_pixels += np.bincount(classes.ravel(), minlength=len(CLASS_NAMES))
    except tf.errors.OpError as error:
        raise reading.damage(builder, split, error) from error
    return n_sources, n_pixels


def _finished(example, n_sources, n_latent, seed):
    """An image with arrays of equal shapes, and with the numbers that a probabilistic U-Net draws."""
    if "truth" not in example:
        return padded(example, n_sources)
    if n_latent is None:
        return example
    return {**example, "noise": tf.random.stateless_normal((1, n_latent), [seed, example["obj_id"]])}


def _of_deblender(batch):
    """Inputs and right output of a network that gives the galaxy in the middle."""
    if "noise" in batch:
        return {"image": batch["image"], "noise": batch["noise"]}, batch["truth"]
    return {"image": batch["image"]}, {HEAD: batch["truth"]}
