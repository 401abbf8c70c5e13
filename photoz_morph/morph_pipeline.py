"""Prepared morphology dataset to batches: labelled Y10 images of a step, and the Y1 images that go with them.

The two depths of a galaxy lie in one example, but the Y1 images of a step are drawn by themselves, without labels, as
an adaptation to a real survey would have them. Order and augmentation are functions of (seed, epoch) and the galaxy
only, as in `pipeline`.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from photoz_morph import pipeline
from photoz_morph.catalogs import SPLITS
from photoz_morph.morphology_labels import MERGER

DOMAINS = ("y10", "y1")


def open_dataset(folder):
    """Builder of the dataset `morph build` wrote; see `pipeline.open_dataset`."""
    return pipeline.open_dataset(folder, "tng_lsst_mocks")


def split_sizes(builder):
    """Number of galaxies in training, validation and test."""
    return [builder.info.splits[split].num_examples for split in SPLITS]


def describe(builder):
    """What a run folder remembers of the dataset."""
    metadata = dict(builder.info.metadata)
    return {
        "path": str(Path(builder.data_dir).resolve()),
        "name": builder.info.full_name,
        "origin": metadata.pop("origin"),
        "galaxies_per_split": split_sizes(builder),
        "mocks": metadata,
    }


def class_index(label, classes):
    """Class of the network's output for a label; works on arrays and tensors.

    Parameters
    ----------
    label : int array, shape (n,)
        Index of `morphology_labels.CLASS_NAMES`, not -1.
    classes : {"spiral_elliptical_merger", "merger"}

    Returns
    -------
    int array, shape (n,)
    """
    return label // MERGER if classes == "merger" else label


def domain_images(builder, split, domain, batch_size):
    """Batches of images of one depth in the stored order: tensors of shape (n, size, size, n_bands)."""
    name = f"image_{domain}"
    galaxies = pipeline.read_galaxies(builder, split, {name: True})
    return galaxies.batch(batch_size).map(lambda galaxy: galaxy[name]).prefetch(2)


class MorphBatches:
    """Training batches of both depths.

    Parameters
    ----------
    builder : tfds builder
    data : MorphDataConfig
    """

    def __init__(self, builder, data):
        self.batch_size, self.classes, self.is_augmented = data.batch_size, data.classes, data.augment
        self.n_galaxies = builder.info.splits["train"].num_examples
        shape = builder.info.features["image_y10"].shape
        # Each depth is read and kept by itself, since the two are shuffled apart.
        self.is_cached = 2 * self.n_galaxies * int(np.prod(shape)) * 4 < pipeline.CACHE_LIMIT_BYTES
        self._galaxies = {}
        for domain in DOMAINS:
            features = {f"image_{domain}": True, "obj_id": True, "label": True}
            galaxies = pipeline.read_galaxies(builder, "train", features)
            self._galaxies[domain] = galaxies.cache() if self.is_cached else galaxies

    @property
    def steps_per_epoch(self):
        """Full batches in one pass; the remainder waits for the next epoch's order."""
        return self.n_galaxies // self.batch_size

    def epoch(self, seed, epoch):
        """One pass over the galaxies at both depths, each in an order of its own.

        Parameters
        ----------
        seed, epoch : int
            The pass is a function of these and nothing else.

        Returns
        -------
        tf.data.Dataset
            ({"source": Y10 images, "target": Y1 images}, label), images of shape (batch_size, size, size, n_bands),
            label of shape (batch_size,).
        """
        pairs = tf.data.Dataset.zip(tuple(self._augmented(domain, seed, epoch) for domain in DOMAINS))
        return pipeline.full_batches(pairs, self.batch_size, self._network_input)

    def obj_ids(self, seed, epoch, batch):
        """Identifiers of the galaxies of one batch of an epoch, those of Y10 first: whom a bad loss points at."""
        rows = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
        ids = []
        for domain in DOMAINS:
            galaxies = self._shuffled(domain, seed, epoch).skip(rows.start).take(self.batch_size)
            ids += [galaxy["obj_id"] for galaxy in galaxies.as_numpy_iterator()]
        return np.array(ids)

    def _shuffled(self, domain, seed, epoch):
        """The galaxies at one depth, in the order of an epoch."""
        order = int(np.random.SeedSequence([seed, epoch, DOMAINS.index(domain)]).generate_state(1)[0])
        buffer = self.n_galaxies if self.is_cached else min(self.n_galaxies, pipeline.SHUFFLE_BUFFER)
        return self._galaxies[domain].shuffle(buffer, seed=order, reshuffle_each_iteration=False)

    def _augmented(self, domain, seed, epoch):
        """(image, label) of the galaxies of an epoch, under a random flip or rotation each."""
        flips = int(np.random.SeedSequence([seed, epoch, 2 + DOMAINS.index(domain)]).generate_state(1)[0])
        galaxies = self._shuffled(domain, seed, epoch)
        galaxies = galaxies.map(
            lambda galaxy: {"image": galaxy[f"image_{domain}"], "obj_id": galaxy["obj_id"], "label": galaxy["label"]}
        )
        if self.is_augmented:
            galaxies = galaxies.map(
                lambda galaxy: pipeline.augment(galaxy, flips), tf.data.AUTOTUNE, deterministic=True
            )
        return galaxies.map(lambda galaxy: (galaxy["image"], galaxy["label"]))

    def _network_input(self, source, target):
        (source_image, label), (target_image, _) = source, target
        return {"source": source_image, "target": target_image}, class_index(label, self.classes)
