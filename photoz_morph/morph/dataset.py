"""Batches of the morphology dataset: labelled Y10 images, and unlabelled Y1 images beside them.

The two depths of a galaxy are stored in one example, but the Y1 images of a step are drawn independently and without
labels, as in adaptation to a real survey, unless pairs are requested. Order and augmentation are functions of
(seed, epoch) and the galaxy only.

In a dataset of colour composites the source, in the place of Y10, are simulated galaxies, and the target, in the place
of Y1, other galaxies of the real sky, in splits of their own; see `is_composite`.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from photoz_morph.catalogs.folds import SPLITS
from photoz_morph.datasets import augmentation, batches, reading
from photoz_morph.mocks.labels import MERGER
from photoz_morph.morph.augmentation import stamp_noise, with_random_pixel, with_random_years
from photoz_morph.surveys import LSST
from photoz_morph.training.auxiliary import HEAD

STRUCTURE = ("gini", "m20", "gini_g", "m20_g")  # columns of the noiseless images in i and g that classes follow from
DOMAINS = ("y10", "y1")
MOCKS, COMPOSITES = "tng_lsst_mocks", "gri_composites"  # datasets of `morph build`
TARGET = "target_"  # before the name of a split of the target of composites
# Streams of `batches.stream_seeds`: the order and the flips of each depth, years and noise, the random pixel, and the
# shifts of each depth.
ORDER, FLIPS, YEARS, PIXEL, MOVES = {"y10": 0, "y1": 1}, {"y10": 2, "y1": 3}, 4, 5, {"y10": 6, "y1": 7}


def open_dataset(folder):
    """Builder of the dataset `morph build` wrote; see `reading.open_dataset`."""
    return reading.open_dataset(folder, _name_in(folder))


def is_composite(builder):
    """True for a dataset of colour composites, whose source and target are different galaxies."""
    return builder.name == COMPOSITES


def require_pairs(builder, what):
    """Raise a ValueError if the dataset does not hold each galaxy at both depths, which `what` needs."""
    if is_composite(builder):
        raise ValueError(
            f"{builder.data_dir}: {what} needs each galaxy at both depths, and this dataset holds simulated and other, "
            "real ones; give a run on mocks of `morph mock`"
        )


def split_of(builder, split, domain):
    """Split expression of the galaxies of a domain."""
    return f"{TARGET}{split}" if is_composite(builder) and domain == DOMAINS[1] else split


def image_shape(builder):
    """Rows, columns and bands of an image."""
    return builder.info.features["image" if is_composite(builder) else "image_y10"].shape


def open_run_dataset(dataset, data_dir=None):
    """Builder of the dataset a run was trained on, or of a copy of it in `data_dir`; see `reading.open_run_dataset`."""

    def identity(builder):
        return {key: describe(builder)[key] for key in ("galaxies_per_split", "origin", "mocks", "content_hash")}

    name = COMPOSITES if str(dataset.get("name")).startswith(f"{COMPOSITES}/") else MOCKS
    return reading.open_run_dataset(dataset, data_dir, name, identity)


def split_sizes(builder):
    """Number of galaxies in training, validation and test, those of the source of composites."""
    return [builder.info.splits[split].num_examples for split in SPLITS]


def describe(builder):
    """Description of the dataset for the run folder."""
    others = ("content_hash", "survey", *reading.IMAGE_METADATA)
    metadata = {key: value for key, value in builder.info.metadata.items() if key not in others}
    return {
        "path": str(Path(builder.data_dir).resolve()),
        "name": builder.info.full_name,
        "origin": metadata.pop("origin"),
        "galaxies_per_split": split_sizes(builder),
        "mocks": metadata,
        "content_hash": reading.content_hash(builder),
        "images": reading.image_metadata(builder),
    }


def class_index(label, classes):
    """Class of the network's output for a label; works on arrays and tensors.

    Parameters
    ----------
    label : int array, shape (n,)
        Index of `mocks.labels.CLASS_NAMES`; -1 stays -1.
    classes : {"spiral_elliptical_merger", "spiral_elliptical", "merger"}

    Returns
    -------
    int array, shape (n,)
    """
    return label // MERGER if classes == "merger" else label  # -1 // 2 is -1


def domain_images(builder, split, domain, batch_size):
    """Batches of images of one depth in the stored order: tensors of shape (n, size, size, n_bands)."""
    name = _image_name(builder, domain)
    galaxies = reading.read_galaxies(builder, split_of(builder, split, domain), {name: True})
    return galaxies.batch(batch_size).map(lambda galaxy: tf.cast(galaxy[name], tf.float32)).prefetch(2)


def labelled_split(builder, data):
    """Split expression of the training galaxies whose labels are learnt.

    Parameters
    ----------
    builder : tfds builder
    data : MorphDataConfig

    Raises
    ------
    ValueError
        If there are fewer than `data.n_labels`.
    """
    split = split_of(builder, "train", domains_of(data)[0])
    if data.n_labels is None:
        return split
    n = reading.n_galaxies(builder, split)
    if data.n_labels > n:
        raise ValueError(
            f"{builder.data_dir}: data.n_labels is {data.n_labels}, there are {n} galaxies to train on; give fewer"
        )
    return "+".join(reading.round_slices(split, 0, n, data.n_labels, data.labels_part))


def domains_of(data):
    """The domain whose labels are learnt, and the other one."""
    return DOMAINS if data.labels_of == "source" else DOMAINS[::-1]


def noise_of(builder):
    """Noise of the Y10 images of a dataset.

    Returns
    -------
    StampNoise

    Raises
    ------
    ValueError
        If the binning of its images is unknown, as it is for the released arrays.
    """
    facts = builder.info.metadata
    if "binning" not in facts:
        raise ValueError(
            f"{builder.data_dir}: data.noise_augmentation needs images in nJy of known binning, those of origin "
            f"{facts['origin']} are not; set it to false"
        )
    return stamp_noise(LSST, facts["binning"], facts["fieldkpc"])


def pixel_range(builder, batch_size=64):
    """Lowest and highest pixel of the Y10 training images in each band, shape (2, n_bands) [image unit]."""
    images = domain_images(builder, "train", "y10", batch_size).as_numpy_iterator()
    extremes = [(batch.min(axis=(0, 1, 2)), batch.max(axis=(0, 1, 2))) for batch in images]
    low, high = zip(*extremes)
    return np.stack([np.min(low, axis=0), np.max(high, axis=0)])


class MorphBatches:
    """Training batches of both depths.

    Parameters
    ----------
    builder : tfds builder
    data : MorphDataConfig
    is_paired : bool
        Whether the Y1 images of a step are those of its Y10 galaxies, row by row and under the same flip or
        rotation and shift. The Y10 images are the same ones with and without.
    auxiliary : AuxiliaryTargets, optional
        Of `STRUCTURE`, which a second head learns beside the labels.

    Raises
    ------
    ValueError
        If `data` asks for noise augmentation and the noise of the dataset is unknown, or pairs are requested of
        composites.

    Notes
    -----
    An epoch is one pass over the source. Where the target of composites has fewer galaxies they are shown again, in the
    same order.
    """

    def __init__(self, builder, data, is_paired=False, auxiliary=None):
        self.batch_size, self.classes, self.is_augmented = data.batch_size, data.classes, data.augment
        self.shift, self.auxiliary = data.shift, auxiliary
        others = {name: True for name in auxiliary.names} if auxiliary else {}
        labelled, own = labelled_split(builder, data), domains_of(data)
        self.domains, self.n_galaxies = own, reading.n_galaxies(builder, labelled)
        self._noise = noise_of(builder) if data.noise_augmentation else None
        self._pixel_probability = data.pixel_augmentation
        self._pixel_range = pixel_range(builder) if data.pixel_augmentation else None
        if is_paired:
            require_pairs(builder, "this adaptation loss")
        shape = image_shape(builder)
        # Unpaired, each depth is read and cached separately, since the two are shuffled independently.
        n_stored = max(reading.n_galaxies(builder, split_of(builder, "train", domain)) for domain in own)
        self.is_cached = 2 * n_stored * int(np.prod(shape)) * 4 < batches.CACHE_LIMIT_BYTES
        self._galaxies, self._n_of, self._names = {}, {}, {name: _image_name(builder, name) for name in DOMAINS}
        for domains in (own,) if is_paired else (own[:1], own[1:]):
            features = {**{self._names[domain]: True for domain in domains}, "obj_id": True, "label": True}
            features |= others if domains[0] == own[0] else {}
            split = labelled if domains[0] == own[0] else split_of(builder, "train", domains[0])
            galaxies = reading.read_galaxies(builder, split, features)
            self._galaxies[domains] = galaxies.cache() if self.is_cached else galaxies
            self._n_of[domains] = reading.n_galaxies(builder, split)

    @property
    def steps_per_epoch(self):
        """Full batches in one pass; the remainder waits for the next epoch's order."""
        return self.n_galaxies // self.batch_size

    def epoch(self, seed, epoch):
        """One pass over the galaxies at both depths, each in an order of its own unless they are paired.

        Parameters
        ----------
        seed, epoch : int
            The pass is a function of these and nothing else.

        Returns
        -------
        tf.data.Dataset
            ({"source": Y10 images, "target": Y1 images}, label), or with the labels of Y1 the reverse; images of shape
            (batch_size, size, size, n_bands), label of shape (batch_size,). With a second head, {"label", "auxiliary"}
            in the place of label.
        """
        streams = tf.data.Dataset.zip(tuple(self._augmented(domains, seed, epoch) for domains in self._galaxies))
        return batches.full_batches(streams, self.batch_size, self._network_input)

    def obj_ids(self, seed, epoch, batch):
        """Identifiers of the galaxies of one batch of an epoch, those with labels first, to name those of a bad
        loss."""
        streams = [self._shuffled(domains, seed, epoch) for domains in self._galaxies]
        return np.concatenate([batches.obj_ids(stream, batch, self.batch_size) for stream in streams])

    def _shuffled(self, domains, seed, epoch):
        """The galaxies at one depth or both, in the order of an epoch."""
        order = batches.stream_seeds(seed, epoch, ORDER[domains[0]])[0]
        galaxies = batches.shuffled(self._galaxies[domains], self._n_of[domains], self.is_cached, order)
        return galaxies if self._n_of[domains] >= self.n_galaxies else galaxies.repeat()

    def _augmented(self, domains, seed, epoch):
        """({domain: image}, columns) of the galaxies of an epoch, under a random flip or rotation and shift each."""
        flips = batches.stream_seeds(seed, epoch, FLIPS[domains[0]])[0]
        years = batches.stream_seeds(seed, epoch, YEARS, 2)
        pixel = batches.stream_seeds(seed, epoch, PIXEL)[0]
        moves = batches.stream_seeds(seed, epoch, MOVES[domains[0]])[0]
        of_labels = self.auxiliary and domains[0] == self.domains[0]

        def show(galaxy):
            images = {domain: tf.cast(galaxy[self._names[domain]], tf.float32) for domain in domains}
            obj_id = galaxy["obj_id"]
            if "y10" in images and self._noise:
                images["y10"] = with_random_years(images["y10"], obj_id, self._noise, years)
            if "y10" in images and self._pixel_probability:
                images["y10"] = with_random_pixel(
                    images["y10"], obj_id, self._pixel_probability, self._pixel_range, pixel
                )
            # Flip and shift follow from seed and obj_id: they are the same at both depths of a pair.
            shown = {domain: {"image": image, "obj_id": obj_id} for domain, image in images.items()}
            for domain, view in shown.items():
                if self.is_augmented:
                    view = augmentation.augment(view, flips)
                if self.shift:
                    view = augmentation.displace_by_pixels(view, moves, self.shift)
                images[domain] = view["image"]
            return images, {name: galaxy[name] for name in ("label", *(self.auxiliary.names if of_labels else ()))}

        return self._shuffled(domains, seed, epoch).map(show, tf.data.AUTOTUNE, deterministic=True)

    def _network_input(self, *streams):
        images = {domain: image for stream, _ in streams for domain, image in stream.items()}
        columns = streams[0][1]
        source, target = (images[domain] for domain in self.domains)
        label = class_index(columns["label"], self.classes)
        if self.auxiliary:
            label = {"label": label, HEAD: self.auxiliary(columns)}
        return {"source": source, "target": target}, label


def _name_in(folder):
    """Name of the dataset in a folder; a ValueError if there are both kinds."""
    folder = Path(folder)
    found = [name for name in (MOCKS, COMPOSITES) if any(folder.glob(f"{name}/*/dataset_info.json"))]
    if len(found) > 1:
        raise ValueError(
            f"{folder}: holds the datasets {' and '.join(found)}; give the folder of one, such as "
            f"{folder / COMPOSITES / '1.0.0'}, as --data-dir"
        )
    if found:
        return found[0]
    return COMPOSITES if folder.resolve().parent.name == COMPOSITES else MOCKS


def _image_name(builder, domain):
    """Feature with the images of a domain."""
    return "image" if is_composite(builder) else f"image_{domain}"
