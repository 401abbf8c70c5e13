"""Queries to a classifier at the cost of its layers after the first pooling, for one pixel or several.

The first pooled map is kept for every image. An edit changes at most 3 x 3 positions of it for each of its pixels;
these are computed anew from the part of the edited image that they see, and the rest of the network runs on the map
with the new positions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from photoz_morph.models.folded_resnet18 import FoldedStages, folded, padded, stem_kernel
from photoz_morph.morph.robustness.network_queries import NetworkQueries, compiled
from photoz_morph.robustness.one_pixel.attack import BATCH_SIZE, CallableQueries

PATCH = 3  # pooled positions in each direction that one pixel can change, for every stem here
MARGIN = 12  # [pixel] of zeros about the images, more than the positions of an edge pixel see beyond it


@dataclass(frozen=True, eq=False)  # a stem is equal to itself only, so that TensorFlow can hash its methods
class Stem:
    """First convolution, ReLU and pooling of a network, and what follows.

    Attributes
    ----------
    kernel, bias : ndarray, shapes (size, size, n_bands, n_maps) and (n_maps,)
        With the batch norm.
    rest : callable
        Pooled maps, shape (n, rows, columns, n_maps), to logits.
    stride : int
        Of the convolution, which is padded by half its size.
    pool, pool_padding : int
        Size of the maxima, taken at stride 2, and rows and columns of zeros about them.
    crop : int, optional
        Side of the central square that the network sees [pixel].
    """

    kernel: np.ndarray
    bias: np.ndarray
    rest: Callable
    stride: int = 1
    pool: int = 2
    pool_padding: int = 0
    crop: int | None = None

    @property
    def half(self):
        """Half the size of the convolution [pixel]."""
        return len(self.kernel) // 2

    @property
    def window(self):
        """Stem positions in each direction under `PATCH` pooled ones."""
        return 2 * (PATCH - 1) + self.pool

    def first_pooled(self, pixels):
        """First pooled row or column that pixels can change; -1, off the map, for those at the edge."""
        first = -((self.half - pixels) // self.stride)  # stem position o sees pixels o stride - half to o stride + half
        return -((self.pool - 1 - self.pool_padding - first) // 2)

    def pooled(self, images):
        """Pooled maps of scaled images."""
        maps = ops.conv(padded(images, self.half), self.kernel, strides=self.stride, padding="valid") + self.bias
        return ops.max_pool(padded(ops.relu(maps), self.pool_padding), self.pool, strides=2, padding="valid")


def resnet_stem(network, precision="float32"):
    """Stem of a ResNet18: 7 x 7 at stride 2, maxima of 3 x 3."""
    return Stem(*stem_kernel(network), FoldedStages(network, precision), stride=2, pool=3, pool_padding=1)


def convnet_stem(network):
    """Stem of a ConvNet or DeepMerge: 5 x 5, maxima of 2 x 2."""
    names = [layer.name for layer in network.layers]
    rest = keras.Model(network.get_layer("pool1").output, network.get_layer("logits").output)
    crop = network.get_layer("crop").output.shape[1] if "crop" in names else None
    return Stem(*folded(network, "conv1", "bn1"), lambda maps: rest(maps, training=False), crop=crop)


class StemQueries(NetworkQueries):
    """Queries to a classifier through its stem.

    Parameters
    ----------
    network : keras.Model
    images : ndarray, shape (n, rows, columns, n_bands)
    stem : Stem
        Of the network.
    domain : int
    batch_size : int

    Notes
    -----
    Sets of so many pixels that half of the stem would be computed anew are queried with whole images.
    """

    def __init__(self, network, images, stem, domain=0, batch_size=BATCH_SIZE):
        self._of, self._pooled = stem, compiled(stem.pooled)
        self._answer_sets = compiled(self._logits_of_sets)
        super().__init__(network, images, domain, batch_size)

    def set_images(self, images):
        """Replace the images, and store their pooled maps."""
        super().set_images(images)
        self._scaled = self.images if self._scale is None else self._scale(self.images)
        self._edge = np.zeros(2, int)  # first row and column that the network sees
        seen = self._scaled
        if self._of.crop:
            self._edge = (np.array(self.image_shape) - self._of.crop) // 2
            (row, column), side = self._edge, self._of.crop
            seen = seen[:, row : row + side, column : column + side]
        self._seen_shape = np.array(seen.shape[1:3])
        self._stem_shape = (self._seen_shape - 1) // self._of.stride + 1
        pooled = np.concatenate([
            ops.convert_to_numpy(self._pooled(seen[start : start + self.batch_size]))
            for start in range(0, len(seen), self.batch_size)
        ])  # fmt: skip
        margin = [(0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)]
        # First pooled positions of edge pixels are one before the map, last ones two behind it.
        maps = np.pad(pooled, [(0, 0), (1, 2), (1, 2), (0, 0)])
        self._kept = [ops.convert_to_tensor(table) for table in (np.pad(seen, margin), maps)]

    def __call__(self, index, edits):
        """Logits of edited images, shape (n, n_classes): see `CallableQueries`."""
        pixels, values = edits.sets()
        n_pixels = pixels.shape[1]
        if 2 * n_pixels * self._of.window**2 > np.prod(self._stem_shape):
            return CallableQueries.__call__(self, index, edits)
        scaled = values if self._scale is None else self._scale(values)
        places = np.clip(pixels - self._edge, 0, self._seen_shape - 1)
        # Pixels that the network does not see leave the nearest that it sees as it is.
        unseen = np.any(places != pixels - self._edge, axis=-1)
        if unseen.any():
            row, column = np.moveaxis(places + self._edge, -1, 0)
            scaled = np.where(unseen[..., None], self._scaled[index[:, None], row, column], scaled)
            scaled = _last_of_each(places, scaled, unseen)
        logits = []
        for start in range(0, len(index), self.batch_size):
            rows = np.minimum(np.arange(start, start + self.batch_size), len(index) - 1)  # the last repeated
            of_edit = np.repeat(np.arange(self.batch_size), n_pixels)
            where = places[rows].reshape(-1, 2)
            answer = self._answer_sets(
                index[rows], of_edit, where, self._of.first_pooled(where), scaled[rows].reshape(len(where), -1),
                *self._kept,
            )  # fmt: skip
            logits.append(ops.convert_to_numpy(answer)[: len(index) - start])
        return np.concatenate(logits)

    def _logits_of_sets(self, index, of_edit, pixels, first, values, images, pooled):
        """Logits of a batch of edits; `of_edit`, `pixels`, `first` pooled position and `values` are of all pixels."""
        of_edit, pixels, first = (ops.cast(part, "int32") for part in (of_edit, pixels, first))
        index = ops.cast(index, "int32")
        edited = ops.take(images, index, axis=0)
        where = ops.concatenate([of_edit[:, None], pixels + MARGIN], axis=1)
        edited = ops.scatter_update(edited, where, ops.cast(values, edited.dtype))
        stem = self._of
        start = 2 * first - stem.pool_padding  # of the window, in stem positions
        size = stem.stride * (stem.window - 1) + len(stem.kernel)
        corner = stem.stride * start - stem.half + MARGIN
        windows = _squares(edited, of_edit, corner, size)
        maps = ops.relu(ops.conv(windows, stem.kernel, strides=stem.stride, padding="valid") + stem.bias)
        rows, columns = (
            _is_inside(start[:, axis, None] + np.arange(stem.window, dtype=np.int32), self._stem_shape[axis])
            for axis in (0, 1)
        )
        # Beyond the edge there is no stem; nothing exceeds the zeros that pad the pooling.
        maps = maps * (rows[:, :, None] * columns[:, None])[..., None]
        patch = ops.max_pool(maps, stem.pool, strides=2, padding="valid")
        maps = ops.take(pooled, index, axis=0)
        offsets = np.indices((PATCH, PATCH)).astype(np.int32)
        rows, columns = (first[:, axis, None, None] + 1 + offsets[axis] for axis in (0, 1))
        edit = of_edit[:, None, None] + 0 * rows
        where = ops.reshape(ops.stack([edit, rows, columns], axis=-1), (-1, 3))
        # Two pixels of an edit may change one position: both compute the same value for it.
        maps = ops.scatter_update(maps, where, ops.reshape(patch, (-1, patch.shape[-1])))
        return stem.rest(maps[:, 1:-2, 1:-2])


def _squares(images, number, corner, size):
    """Squares of images, shape (n, size, size, n_bands), from the number of the image and the first row and column."""
    rows, columns = (corner[:, axis, None] + np.arange(size, dtype=np.int32) for axis in (0, 1))
    flat = (number[:, None, None] * images.shape[1] + rows[:, :, None]) * images.shape[2] + columns[:, None]
    return ops.take(ops.reshape(images, (-1, images.shape[-1])), flat, axis=0)


def _is_inside(position, size):
    """1 where a position is on a map of that size, 0 elsewhere."""
    return ops.cast(ops.logical_and(position >= 0, position < int(size)), "float32")


def _last_of_each(places, values, unseen):
    """Values of pixels, where an unseen one that was moved to the place of a seen one takes its value."""
    flat = places[..., 0] * (places.max() + 1) + places[..., 1]
    same = (flat[:, :, None] == flat[:, None, :]) & ~unseen[:, None, :]
    seen = np.take_along_axis(values, same.argmax(axis=2)[..., None], axis=1)
    return np.where((unseen & same.any(axis=2))[..., None], seen, values)
