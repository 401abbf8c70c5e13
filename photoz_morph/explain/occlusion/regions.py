"""Players: the parts of the inputs that are kept or taken away together, and the target with some of them.

A player is a region of the image (patches of all bands or of one, whole bands, superpixels) or a scalar input such as
E(B-V). RISE, LIME, KernelSHAP, Shapley values, Sobol indices and HSIC only differ in which of them they take away and
how they put the answers together.
"""

from dataclasses import dataclass

import numpy as np
from keras import ops
from sklearn.cluster import KMeans

from photoz_morph.explain.gradients import as_tensor, named, unnamed
from photoz_morph.explain.sky import image_name, image_of, measure_sky


@dataclass(frozen=True)
class Regions:
    """Division of the inputs into players.

    Attributes
    ----------
    labels : ndarray of int, shape (rows, columns, n_bands) or (n, rows, columns, n_bands)
        Number of the player of each pixel, from 0.
    scalars : tuple of str
        Inputs that are players after those of the image.
    """

    labels: np.ndarray
    scalars: tuple = ()

    @property
    def n_pixel_players(self):
        """Players of the image."""
        return int(self.labels.max()) + 1

    @property
    def n_players(self):
        """All players."""
        return self.n_pixel_players + len(self.scalars)

    def of_galaxy(self, galaxy):
        """Labels of one galaxy, shape (rows, columns, n_bands)."""
        return self.labels if self.labels.ndim == 3 else self.labels[galaxy]


def patches(shape, size, each_band=False, scalars=()):
    """Players that are square patches.

    Parameters
    ----------
    shape : (int, int, int)
        Rows, columns and bands.
    size : int
        Side of a patch [pixel]; those at the far edges may be smaller.
    each_band : bool
        Whether a patch of each band is a player of its own.
    scalars : sequence of str
        Inputs that are players, too.

    Returns
    -------
    Regions
    """
    rows, columns, bands = np.indices(shape)
    n_columns = -(-shape[1] // size)
    labels = (rows // size) * n_columns + columns // size
    return Regions(labels * shape[2] + bands if each_band else labels, tuple(scalars))


def whole_bands(shape, scalars=()):
    """Players that are the bands, and scalar inputs."""
    return Regions(np.broadcast_to(np.arange(shape[2]), shape).copy(), tuple(scalars))


def superpixels(images, n_segments=40, compactness=1.0, scalars=(), seed=0):
    """Players that are compact pieces of like colour and brightness, of all bands together.

    Parameters
    ----------
    images : ndarray, shape (n, rows, columns, n_bands)
    n_segments : int
        Of each galaxy.
    compactness : float
        Weight of the distance on the sky, in sides of a segment, against that of the asinh fluxes in units of the sky.
    scalars : sequence of str
        Inputs that are players, too.
    seed : int

    Returns
    -------
    Regions

    Notes
    -----
    SLIC (Achanta et al. 2012) with scikit-learn's k-means over the whole stamp.
    """
    n, rows, columns, n_bands = images.shape
    level, sigma = measure_sky(images)
    scale = np.where(sigma > 0, sigma, np.inf)[:, None, None]
    flux = np.arcsinh((images - level[:, None, None]) / scale / 2) / np.sqrt(n_bands)
    place = np.stack(np.indices((rows, columns)), axis=-1) * compactness / np.sqrt(rows * columns / n_segments)
    labels = []
    for image in flux:
        features = np.concatenate([image, place], axis=-1).reshape(rows * columns, -1)
        found = KMeans(n_segments, n_init=1, random_state=seed).fit_predict(features)
        labels.append(np.unique(found, return_inverse=True)[1].reshape(rows, columns))
    return Regions(np.repeat(np.stack(labels)[..., None], n_bands, axis=-1), tuple(scalars))


class MaskedScore:
    """Target of one galaxy with some players kept and the others replaced by a baseline.

    Parameters
    ----------
    score : Score
    inputs : ndarray or dict of ndarray
    filling : ndarray or dict of ndarray
        From `sky.baseline`, with values of the scalars that are players.
    regions : Regions

    Raises
    ------
    ValueError
        If the baseline has no value of a scalar that is a player.
    """

    def __init__(self, score, inputs, filling, regions):
        self.given, self.filling = named(inputs), named(filling)
        self.score, self.regions, self.image = score, regions, image_name(self.given)
        image_of(filling, self.image)
        missing = [name for name in regions.scalars if name not in self.filling or name not in self.given]
        if missing:
            raise ValueError(f"{missing[0]!r} is a player, but not in inputs and baseline; give it a value in both")
        self._call = score.compiled(self._kept)

    def __call__(self, galaxy, kept):
        """Target under some choices of players.

        Parameters
        ----------
        galaxy : int
        kept : ndarray, shape (m, n_players)
            1 for players that are kept, 0 for those replaced; numbers between mix the pixel values.

        Returns
        -------
        ndarray, shape (m,)
        """
        kept = np.asarray(kept, np.float32)
        labels = as_tensor(self.regions.of_galaxy(galaxy).astype(np.int32))
        own, filling = (
            {name: as_tensor(values[galaxy : galaxy + 1]) for name, values in part.items()}
            for part in (self.given, self.filling)
        )
        number, parts = as_tensor(np.int32(galaxy)), []
        for start in range(0, len(kept), self.score.batch_size):
            rows = as_tensor(kept[start : start + self.score.batch_size])
            parts.append(ops.convert_to_numpy(self._call(own, filling, labels, number, rows)))
        return np.concatenate(parts).astype(np.float64)

    def _kept(self, value, own, filling, labels, galaxy, kept):
        n, n_pixel_players = ops.shape(kept)[0], self.regions.n_pixel_players
        pixels = ops.take(kept, labels, axis=1)
        copies = {name: ops.repeat(values, n, axis=0) for name, values in own.items() if name != self.image}
        for number, name in enumerate(self.regions.scalars):
            share = ops.reshape(kept[:, n_pixel_players + number], (-1, *[1] * (len(own[name].shape) - 1)))
            copies[name] = share * own[name] + (1 - share) * filling[name]
        stamps = pixels * own[self.image] + (1 - pixels) * filling[self.image]
        return value({**copies, self.image: stamps}, ops.repeat(galaxy[None], n))


def spread(values, regions, inputs):
    """Values of players as an attribution: that of a region shared among its pixels, so that sums stay.

    Parameters
    ----------
    values : ndarray, shape (n, n_players)
    regions : Regions
    inputs : ndarray or dict of ndarray
        Of the network.

    Returns
    -------
    ndarray or dict of ndarray
        Image and scalars that are players, of the form of the inputs [that of the values].
    """
    given = named(inputs)
    image, n_pixel_players = image_name(given), regions.n_pixel_players
    pixels = []
    for galaxy, row in enumerate(values):
        labels = regions.of_galaxy(galaxy)
        counts = np.bincount(labels.ravel(), minlength=n_pixel_players)
        pixels.append((row[:n_pixel_players] / np.maximum(counts, 1))[labels])
    scalars = {
        name: values[:, n_pixel_players + number].reshape(-1, *[1] * (np.ndim(given[name]) - 1))
        for number, name in enumerate(regions.scalars)
    }
    return unnamed({image: np.stack(pixels), **scalars}, inputs)
