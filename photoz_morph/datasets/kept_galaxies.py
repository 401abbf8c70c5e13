"""Galaxies of a dataset in memory: what the networks of one process need is read from disk once and shared by all.

The folds of a cross-validation overlap, and so do training sets, validation and the sample on which layers are adapted:
each galaxy has one place here, whoever asks for it, and several processes can have their places in the same memory.
"""

import contextlib

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from photoz_morph.datasets.augmentation import dihedral_view
from photoz_morph.datasets.reading import CachedColumns, read_galaxies
from photoz_morph.system.shared_memory import SharedMemory

ROWS_AT_ONCE = 32  # of larger batches 0.15 GB would stay with the process
ALIGNMENT = 64  # [bytes], of arrays in shared memory


class KeptGalaxies(CachedColumns):
    """Columns of a dataset, each of its splits read from disk once, and images of the galaxies that were kept.

    Parameters
    ----------
    builder : tfds builder
    names : sequence of str
        Features that are not images.
    """

    def __init__(self, builder, names):
        super().__init__(builder, names)
        self._arrays, self._is_kept, self._shared = {}, {}, None

    def shared_memory(self):
        """Memory that has room for all galaxies, to be given to the `share` of several processes."""
        return SharedMemory({name: self._layout(name)[1] for name in self._builder.info.splits})

    def share(self, memory):
        """Keep galaxies in memory from `shared_memory`: of the processes that use it, one reads each galaxy."""
        self._arrays, self._is_kept, self._shared = {}, {}, memory

    def __call__(self, split):
        """Columns of a split expression in the stored order: a dict of str to ndarray, first axis n."""
        if not self.has(split):
            return super().__call__(split)
        return {name: self._column(split, name) for name in self._names}

    def has(self, split):
        """True if all galaxies of a split expression have been kept."""
        return all(name in self._is_kept and self._is_kept[name][first:last].all()
                   for name, first, last in self._parts(split))  # fmt: skip

    def keep(self, split):
        """Read the images and columns of a split expression, apart from those that have been kept before."""
        for name, first, last in self._parts(split):
            with self._place(name) as (arrays, is_kept):
                missing = first + np.flatnonzero(~is_kept[first:last])
                for run in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1):
                    if len(run):
                        self._read(name, int(run[0]), int(run[-1]) + 1, arrays)
                        is_kept[run] = True

    def galaxies(self, split, names, order=None):
        """Kept galaxies as a dataset.

        Parameters
        ----------
        split : str
            Split expression of galaxies that have been kept.
        names : iterable of str
            Features beside the image.
        order : callable, optional
            Takes a dataset of rows and returns one of the same elements: what is shuffled are numbers, not images.

        Returns
        -------
        tf.data.Dataset
            {"image", *names}, in the stored order unless there is another.
        """
        rows, images = self._rows(split, names, order), self._images(split)

        def with_image(galaxy):
            # A tensor of all images would be copied into the graph of every epoch.
            image = tf.numpy_function(lambda place: images[place[0]][place[1]], [galaxy.pop("place")], tf.float32)
            return {**galaxy, "image": tf.ensure_shape(image, images[0].shape[1:])}

        return rows.map(with_image, tf.data.AUTOTUNE, deterministic=True)

    def batches(self, split, names, batch_size, order=None, element_of=None, drop_remainder=False, others=None):
        """Batches of kept galaxies, whose images are copied a batch at a time, which is faster than `galaxies`.

        Parameters
        ----------
        split, names, order
            As for `galaxies`.
        batch_size : int
        element_of : callable, optional
            Takes the `obj_id` of a galaxy, a tensor, and returns the element of the symmetry group of the square, 0 ...
            7, under which its image is given; see `augmentation.dihedral`.
        drop_remainder : bool
        others : dict of str to ndarray, optional
            What else is known of the galaxies, in the stored order.

        Returns
        -------
        tf.data.Dataset
            {"image", *names, *others}, shape (batch_size, ...) each.
        """
        rows, images = self._rows(split, names, order, others), self._images(split)
        if element_of:
            rows = rows.map(lambda row: {**row, "element": element_of(row["obj_id"])})

        def taken(places, elements):
            batch = np.empty((len(places), *images[0].shape[1:]), np.float32)
            for image, (part, row), element in zip(batch, places, elements):
                image[:] = dihedral_view(images[part][row], element)
            return batch

        def with_images(batch):
            place = batch.pop("place")
            element = batch.pop("element", tf.zeros(tf.shape(place)[:1], tf.int32))
            image = tf.numpy_function(taken, [place, element], tf.float32)
            return {**batch, "image": tf.ensure_shape(image, (place.shape[0], *images[0].shape[1:]))}

        rows = rows.batch(batch_size, drop_remainder=drop_remainder)
        return rows.map(with_images, tf.data.AUTOTUNE, deterministic=True)

    def _rows(self, split, names, order, others=None):
        """Dataset of {"place", *names, *others}, where a place is the number of a part and the row in it."""
        parts = self._parts(split)
        places = [[(number, row) for row in range(first, last)] for number, (_, first, last) in enumerate(parts)]
        columns = {name: self._column(split, name) for name in names} | (others or {})
        columns["place"] = np.concatenate(places)
        rows = tf.data.Dataset.from_tensor_slices(columns)
        return order(rows) if order else rows

    def _images(self, split):
        """Images of each part of a split expression."""
        return [self._arrays[name]["image"] for name, _, _ in self._parts(split)]

    def _column(self, split, name):
        """Values of a feature, in the stored order."""
        return np.concatenate([self._arrays[part][name][first:last] for part, first, last in self._parts(split)])

    def _parts(self, split):
        """(name of a split, first row, row after the last) of the parts of a split expression."""
        splits = self._builder.info.splits
        parts = tfds.core.ReadInstruction.from_spec(split).to_absolute(splits)
        return [
            (part.splitname, part.from_ or 0, splits[part.splitname].num_examples if part.to is None else part.to)
            for part in parts
        ]

    @contextlib.contextmanager
    def _place(self, name):
        """Arrays of a split and which of its galaxies they hold, for one process at a time."""
        with self._shared.block(name) if self._shared else contextlib.nullcontext() as block:
            if name not in self._arrays:
                places, size = self._layout(name)
                # Either takes memory for those galaxies alone that are written to it.
                memory = np.zeros(size, np.uint8) if block is None else block
                arrays = {key: np.ndarray(shape, dtype, memory, at) for key, (shape, dtype, at) in places.items()}
                self._is_kept[name], self._arrays[name] = arrays.pop("is_kept"), arrays
            yield self._arrays[name], self._is_kept[name]

    def _layout(self, name):
        """Shape, type and first byte of the arrays of a split, a dict, and the size of all [bytes]."""
        n, features = self._builder.info.splits[name].num_examples, self._builder.info.features
        kinds = {key: (features[key].shape, features[key].np_dtype) for key in ("image", *self._names)}
        places, at = {}, 0
        for key, (shape, dtype) in {"is_kept": ((), bool), **kinds}.items():
            places[key] = (n, *shape), np.dtype(dtype), at
            at += -(-n * int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize // ALIGNMENT) * ALIGNMENT
        return places, at

    def _read(self, name, first, last, arrays):
        """Read consecutive galaxies of a split into their arrays."""
        features = {feature: True for feature in arrays}
        at = first
        for batch in read_galaxies(self._builder, f"{name}[{first}:{last}]", features).batch(ROWS_AT_ONCE):
            n = len(batch["image"])
            for feature, values in arrays.items():
                values[at : at + n] = batch[feature].numpy()
            at += n
