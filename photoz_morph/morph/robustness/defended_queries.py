"""Queries to classifiers behind a test-time defence, through the fast queries to the network that it defends."""

import numpy as np
from keras import ops

from photoz_morph.models.layers.defences import N_VIEWS, MedianFilter, SquareViews
from photoz_morph.morph.robustness.network_queries import NetworkQueries
from photoz_morph.robustness.one_pixel.attack import BATCH_SIZE
from photoz_morph.robustness.one_pixel.searches import Edits

NEIGHBOURS = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij"), axis=-1).reshape(-1, 2)


class ViewQueries(NetworkQueries):
    """Queries behind the defence d4: the mean of those to the network inside over the eight views of each image.

    Parameters
    ----------
    network : keras.Model
        From `models.layers.defences.defended`.
    images : ndarray, shape (n, rows, columns, n_bands)
    domain : int
    batch_size : int
    ask : callable
        Views of images to the queries of the network inside.
    """

    def __init__(self, network, images, domain=0, batch_size=BATCH_SIZE, *, ask):
        self._views_of, self._of_views, self._ask_views = SquareViews(), None, ask
        super().__init__(network, images, domain, batch_size)

    def set_images(self, images):
        """Replace the images and their views."""
        super().set_images(images)
        views = ops.convert_to_numpy(self._views_of(self.images))
        if self._of_views is None:
            self._of_views = self._ask_views(views)
        else:
            self._of_views.set_images(views)
        # Position of each pixel in each view: the inverse of that view of an image of pixel numbers.
        numbers = np.arange(np.prod(self.image_shape), dtype=np.float32).reshape(1, *self.image_shape, 1)
        views = ops.convert_to_numpy(self._views_of(numbers)).astype(int).reshape(N_VIEWS, -1)
        self._place = np.argsort(views, axis=1)

    def __call__(self, index, edits):
        """Logits of edited images, shape (k, n_classes): see `CallableQueries`."""
        flat = edits.pixels[..., 0] * self.image_shape[1] + edits.pixels[..., 1]
        pixels = np.stack(np.divmod(np.concatenate(self._place[:, flat]), self.image_shape[1]), axis=-1)
        in_view = np.arange(N_VIEWS)[:, None] * len(self.images) + index
        logits = self._of_views(in_view.ravel(), Edits(pixels, np.concatenate([edits.values] * N_VIEWS)))
        return logits.reshape(N_VIEWS, len(index), -1).mean(axis=0)


class MedianQueries(NetworkQueries):
    """Queries behind the defence median: edits of the filtered image, of the pixels whose median an edit may change.

    Parameters
    ----------
    network : keras.Model
        From `models.layers.defences.defended`.
    images : ndarray, shape (n, rows, columns, n_bands)
    domain : int
    batch_size : int
    ask : callable
        Filtered images to the queries of the network inside.
    """

    def __init__(self, network, images, domain=0, batch_size=BATCH_SIZE, *, ask):
        self._filter, self._ask, self._inside = MedianFilter(), ask, None
        super().__init__(network, images, domain, batch_size)

    def set_images(self, images):
        """Replace the images, and filter them."""
        super().set_images(images)
        filtered = ops.convert_to_numpy(self._filter(self.images))
        if self._inside is None:
            self._inside = self._ask(filtered)
        else:
            self._inside.set_images(filtered)

    def __call__(self, index, edits):
        """Logits of edited images, shape (n, n_classes): see `CallableQueries`."""
        return self._inside(index, self._filtered(index, edits))

    def _filtered(self, index, edits):
        """Edits of the filtered images: nine pixels, those about it, for each pixel of the edits."""
        pixels, values = edits.sets()
        last = np.array(self.image_shape) - 1
        moved = np.clip(pixels[:, :, None] + NEIGHBOURS, 0, last).reshape(len(pixels), -1, 2)
        window = np.clip(moved[:, :, None] + NEIGHBOURS, 0, last)  # the edge is continued by its own pixels
        around = self.images[index[:, None, None], window[..., 0], window[..., 1]]  # (n, 9 k, 9, n_bands)
        for number in range(pixels.shape[1]):
            hit = np.all(window == pixels[:, None, number, None], axis=-1)
            around = np.where(hit[..., None], values[:, number, None, None], around)
        return Edits(moved, np.sort(around, axis=2)[:, :, len(NEIGHBOURS) // 2])
