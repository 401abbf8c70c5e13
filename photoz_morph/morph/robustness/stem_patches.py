"""Stem of a ResNet18 as seen by one pixel: the patch of maps that it changes, and the kernels that map it there.

The first convolution (7 x 7, stride 2) and the pooling (3 x 3, stride 2) let one pixel change at most 3 x 3 pooled
positions, which depend on 7 x 7 positions of the stem.
"""

import numpy as np
from keras import ops

from photoz_morph.models.folded_resnet18 import padded

POOLED_PATCH, STEM_PATCH = 3, 7  # positions a pixel can change after the pooling, and those of the stem they pool
PHASES = 4  # stem stride of 2 times pooling stride of 2: the pattern of changed positions repeats every 4 pixels


def first_pooled(pixels):
    """First row and column of the pooled map that pixels can change; -1, off the map, for pixels 0 and 1."""
    return ops.cast((pixels - 2) // PHASES, "int32")


def phase_kernels(kernel):
    """Contribution of one pixel to its stem patch, for each phase of its row and column.

    Shape (16, n_bands, 7, 7, n_maps). The patch of pixel p starts at stem row 2 ((p - 2) // 4) - 1 and stem row o sees
    the pixel through row p - 2 o + 3 of the kernel.
    """
    bank = np.zeros((PHASES, PHASES, kernel.shape[2], STEM_PATCH, STEM_PATCH, kernel.shape[3]), np.float32)
    for row in range(PHASES):
        for column in range(PHASES):
            for i, tap_row in _taps(row, len(kernel)):
                for j, tap_column in _taps(column, len(kernel)):
                    bank[row, column, :, i, j] = kernel[tap_row, tap_column]
    return bank.reshape(PHASES**2, *bank.shape[2:])


def _taps(pixel, size):
    """Yield the rows of the stem patch of a pixel, each with the kernel row through which it sees the pixel."""
    first = 2 * ((pixel - 2) // PHASES) - 1
    for i in range(STEM_PATCH):
        tap = pixel - 2 * (first + i) + size // 2
        if 0 <= tap < size:
            yield i, tap


def pool(maps):
    """3 x 3 maxima at stride 2 of zero-padded maps."""
    return ops.convert_to_numpy(ops.max_pool(padded(maps, 1), 3, strides=2, padding="valid"))


def pool_patch(patch):
    """3 x 3 maxima at stride 2 of patches of 7 x 7: shape (k, 3, 3, n_maps)."""
    return ops.max_pool(patch, 3, strides=2, padding="valid")
