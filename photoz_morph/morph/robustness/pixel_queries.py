"""Fast queries of few pixels to Keras classifiers, for `robustness.one_pixel`.

`NetworkQueries` evaluates any classifier of the package on whole images, `StemQueries` on the few numbers that an
edit changes after the first convolution and pooling. `ResNetQueries` does so at the least cost for one pixel of a
ResNet18: the output of the first convolution is kept for every image, one pixel changes at most 4 x 4 positions of it
and 3 x 3 of the map after the pooling (`stem_patches`), and the rest of the network runs with its batch norms folded
into its convolutions. That is exact up to rounding (1e-4 of a logit in float32), and every flip is confirmed by the
network itself.
"""

import numpy as np
from keras import ops

from photoz_morph.models.folded_resnet18 import padded
from photoz_morph.morph.robustness.defended_queries import MedianQueries, ViewQueries
from photoz_morph.morph.robustness.network_queries import NetworkQueries, compiled, gradient_of
from photoz_morph.morph.robustness.stem_patches import (
    PHASES,
    POOLED_PATCH,
    STEM_PATCH,
    first_pooled,
    phase_kernels,
    pool,
    pool_patch,
)
from photoz_morph.morph.robustness.stem_queries import StemQueries, convnet_stem, resnet_stem
from photoz_morph.robustness.one_pixel.attack import BATCH_SIZE
from photoz_morph.robustness.one_pixel.searches import Edits

PRECISIONS = ("float32", "bfloat16")
BEFORE, AFTER = 3, 4  # reach of the stem patch of a border pixel beyond the edges of the map


def pixel_queries(network, images, domain=0, precision="float32", batch_size=BATCH_SIZE):
    """Choose the fastest query class for a network.

    Parameters
    ----------
    network : keras.Model
        {"image"} or {"image", "domain"} to {"logits", "latent"}.
    images : ndarray, shape (n, rows, columns, n_bands)
        [image unit]
    domain : int
        0 for Y10, 1 for Y1; used by networks with a scaling for each domain.
    precision : {"float32", "bfloat16"}
        Of a ResNet18 after its first convolution and pooling. With bfloat16, logits are off by about 0.1.
    batch_size : int

    Returns
    -------
    CallableQueries
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    if precision != "float32" and network.name not in ("resnet18", "resnet18_d4"):
        raise ValueError(f"precision {precision} is available for resnet18 only, not for {network.name}; use float32")
    name, _, defence = network.name.partition("_")
    if defence in ("d4", "median"):
        inside = network.get_layer(name)
        queries = {"d4": ViewQueries, "median": MedianQueries}[defence]
        return queries(
            network, images, domain, batch_size,
            ask=lambda seen: pixel_queries(inside, seen, domain, precision, batch_size),
        )  # fmt: skip
    if name == "resnet18":
        return ResNetQueries(network, images, domain, precision, batch_size)
    if name in ("convnet", "deepmerge"):
        return StemQueries(network, images, convnet_stem(network), domain, batch_size)
    return NetworkQueries(network, images, domain, batch_size)


class ResNetQueries(StemQueries):
    """Queries to a ResNet18 of the package at the cost of its layers after the first pooling.

    Those of one pixel add its change to the stored stem.

    Parameters
    ----------
    network : keras.Model
        From `models.resnet18.resnet18`.
    images : ndarray, shape (n, rows, columns, n_bands)
    domain : int
    precision : {"float32", "bfloat16"}
    batch_size : int
    """

    def __init__(self, network, images, domain=0, precision="float32", batch_size=BATCH_SIZE):
        stem = resnet_stem(network, precision)
        self._rest, kernel, bias = stem.rest, stem.kernel, stem.bias
        self._bank = phase_kernels(kernel)
        self._stem = compiled(lambda images: ops.conv(padded(images, 3), kernel, strides=2, padding="valid") + bias)
        self._answer = compiled(self._logits)
        self._slope = compiled(gradient_of(lambda pooled, weights: ops.sum(self._rest(pooled) * weights)))
        self._patch_changes = compiled(self._rank_changes)
        super().__init__(network, images, stem, domain, batch_size)

    def set_images(self, images):
        """Replace the images, and store their outputs of the first convolution and pooling."""
        super().set_images(images)
        stem = np.concatenate([
            ops.convert_to_numpy(self._stem(self._scaled[start : start + self.batch_size]))
            for start in range(0, len(self.images), self.batch_size)
        ])  # fmt: skip
        pooled = pool(np.maximum(stem, 0))
        self._pooled_side = pooled.shape[1:3]
        # Beyond the edge nothing exceeds the zeros that pad the pooling.
        stem = np.pad(stem, [(0, 0), (BEFORE, AFTER), (BEFORE, AFTER), (0, 0)], constant_values=-1e30)
        pooled = np.pad(pooled, [(0, 0), (1, 2), (1, 2), (0, 0)])
        self._stem_side = stem.shape[1:3]
        self._tables = [ops.convert_to_tensor(table) for table in (stem.reshape(-1, stem.shape[-1]), pooled)]

    def __call__(self, index, edits):
        """Logits of edited images, shape (k, n_classes): see `CallableQueries`."""
        if edits.sets()[0].shape[1] > 1:
            return super().__call__(index, edits)
        edits, logits = Edits(*(part[:, 0] for part in edits.sets())), []
        change = self._change(index, edits)
        for start in range(0, len(index), self.batch_size):
            rows = np.minimum(np.arange(start, start + self.batch_size), len(index) - 1)  # the last repeated
            answer = self._answer(index[rows], edits.pixels[rows], change[rows], *self._tables)
            logits.append(ops.convert_to_numpy(answer)[: len(index) - start])
        return np.concatenate(logits)

    def ranking(self, index, weights, bounds):
        """Rank all corner edits of an image by the exact change after the pooling times the gradient there."""
        stem, pooled = self._tables
        clean = pooled[index : index + 1, 1:-2, 1:-2]
        slope = self._slope(clean, np.asarray(weights, np.float32)[None])
        slope = np.pad(ops.convert_to_numpy(slope)[0], [(1, 2), (1, 2), (0, 0)])
        corners = bounds.corners()
        step = self._scale(corners)[:, None, None] - self._scaled[index]  # (n_corners, rows, columns, n_bands)
        change = np.empty((*self.image_shape, len(corners)), np.float32)
        for row in range(PHASES):
            for column in range(PHASES):
                rows, columns = np.mgrid[row : self.image_shape[0] : PHASES, column : self.image_shape[1] : PHASES]
                pixels = np.stack([rows.ravel(), columns.ravel()], axis=1)
                steps = np.moveaxis(step[:, row::PHASES, column::PHASES], 0, 2).reshape(len(pixels), len(corners), -1)
                found = self._patch_changes(
                    np.full(len(pixels), index), pixels, steps, self._bank_of(row, column), slope, stem, pooled
                )
                change[rows, columns] = ops.convert_to_numpy(found).reshape(*rows.shape, -1)
        return np.argsort(change, axis=None, kind="stable")

    def _change(self, index, edits):
        """Change of the scaled pixel, shape (k, n_bands)."""
        return self._scale(edits.values) - self._scaled[index, edits.pixels[:, 0], edits.pixels[:, 1]]

    def _logits(self, index, pixels, change, stem, pooled):
        """Logits of a batch of edits."""
        phase = ops.cast(pixels % PHASES, "int32")
        # A small matrix product instead of gathering a kernel for every edit.
        which = ops.one_hot(phase[:, 0] * PHASES + phase[:, 1], PHASES**2)
        spread = ops.reshape(which[:, :, None] * change[:, None], (self.batch_size, -1))
        added = ops.matmul(spread, ops.reshape(self._bank, (spread.shape[1], -1)))
        first = first_pooled(pixels)
        patch = self._patches(index, first, stem) + ops.reshape(added, (self.batch_size, STEM_PATCH, STEM_PATCH, -1))
        patch = pool_patch(ops.relu(patch))
        offsets = np.indices((POOLED_PATCH, POOLED_PATCH))
        rows, columns = (first[:, axis, None, None] + 1 + offsets[axis] for axis in (0, 1))
        edit = ops.broadcast_to(ops.arange(self.batch_size, dtype="int32")[:, None, None], ops.shape(rows))
        where = ops.reshape(ops.stack([edit, rows, columns], axis=-1), (-1, 3))
        maps = ops.take(pooled, ops.cast(index, "int32"), axis=0)
        maps = ops.scatter_update(maps, where, ops.reshape(patch, (-1, patch.shape[-1])))
        return self._rest(maps[:, 1:-2, 1:-2])

    def _rank_changes(self, index, pixels, steps, kernel, slope, stem, pooled):
        """Predicted change of the margin for every corner of pixels of one phase, shape (k, n_corners)."""
        first = first_pooled(pixels)
        clean = self._patches(index, first, stem)
        added = ops.tensordot(steps, kernel, axes=1)  # (k, n_corners, 7, 7, n_maps)
        patch = pool_patch(ops.relu(ops.reshape(clean[:, None] + added, (-1, *added.shape[2:]))))
        side = self._pooled_side[1] + 3
        flat = self._positions(first + 1, POOLED_PATCH, side)
        base = ops.take(ops.reshape(pooled[index[0]], (-1, patch.shape[-1])), flat, axis=0)
        slopes = ops.take(ops.reshape(slope, (-1, patch.shape[-1])), flat, axis=0)
        patch = ops.reshape(patch, (-1, added.shape[1], *patch.shape[1:]))
        return ops.sum((patch - base[:, None]) * slopes[:, None], axis=(2, 3, 4))

    def _patches(self, index, first, stem):
        """Stem maps around each pixel, shape (k, 7, 7, n_maps); `first` is its first pooled position."""
        start = ops.cast(index, "int32")[:, None, None] * (self._stem_side[0] * self._stem_side[1])
        # Position o of the pooling covers rows 2 o - 1 to 2 o + 1 of the stem.
        flat = self._positions(2 * first - 1 + BEFORE, STEM_PATCH, self._stem_side[1])
        return ops.take(stem, start + flat, axis=0)

    @staticmethod
    def _positions(corner, size, side):
        """Flat positions of squares of maps that are `side` wide, shape (k, size, size)."""
        rows, columns = (corner[:, axis, None] + np.arange(size, dtype=np.int32) for axis in (0, 1))
        return rows[:, :, None] * side + columns[:, None]

    def _bank_of(self, row, column):
        """Kernel of one phase, shape (n_bands, 7, 7, n_maps)."""
        return self._bank[row * PHASES + column]
