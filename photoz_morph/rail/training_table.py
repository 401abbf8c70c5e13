"""Train networks on a table in memory, as `photoz train` does from a dataset on disk.

A random sample of `data.n_validation` galaxies, drawn by the seed, is held out to validate the networks.
"""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.photoz.dataset import PhotozBatches
from photoz_morph.photoz.experiment import N_ADAPTATION, PhotozFold
from photoz_morph.training.ensemble import member_seed
from photoz_morph.training.fit import choose_strategy, fit


class TableBatches(PhotozBatches):
    """Training batches of some rows of a table; row numbers are shuffled, so that the images are held once.

    Parameters
    ----------
    tensors : dict of str to tensor, first axis n
    rows : ndarray of int
    config : PhotozConfig
    """

    def __init__(self, tensors, rows, config):
        self.grid, self.batch_size, self.label_sigma = config.redshift, config.data.batch_size, config.train.label_sigma
        self.n_galaxies, self.is_cached = len(rows), True
        self._tensors, self._galaxies = tensors, tf.data.Dataset.from_tensor_slices(rows)

    def _shuffled(self, seed, epoch):
        return _galaxies(self._tensors, super()._shuffled(seed, epoch))


class TableFold(PhotozFold):
    """Training and validation galaxies of a table, and the network trained on them.

    Parameters
    ----------
    config : PhotozConfig
    arrays : dict of str to ndarray
        `image` (n, size, size, n_bands), `ebv` [mag], `z_spec` and integer `obj_id`, all finite and on the grid; more
        rows than `data.n_validation`.
    """

    def __init__(self, config, arrays):
        self.config = config
        n_galaxies, n_validation = len(arrays["z_spec"]), config.data.n_validation
        order = np.random.default_rng([config.seed, n_galaxies]).permutation(n_galaxies)
        validation, train = np.sort(order[:n_validation]), np.sort(order[n_validation:])
        with tf.device("cpu"):  # a GPU's memory is for the network
            tensors = {name: tf.constant(array) for name, array in arrays.items()}
        inputs = {name: tensors[name] for name in ("image", "ebv")}
        self.train = TableBatches(tensors, train, config)
        self._validation = _galaxies(inputs, tf.data.Dataset.from_tensor_slices(validation)).batch(BATCH_SIZE)
        self._z_spec = arrays["z_spec"][validation]
        measured = tf.data.Dataset.from_tensor_slices(train[:N_ADAPTATION])
        self.adaptation_sample = _galaxies(inputs, measured).batch(BATCH_SIZE)


def _galaxies(tensors, rows):
    """Dataset of rows of tensors, from a dataset of row numbers."""
    return rows.map(lambda row: {name: tensor[row] for name, tensor in tensors.items()}, tf.data.AUTOTUNE)


def train_on_table(config, arrays, n_members):
    """Train networks of different seeds one after the other, on all GPUs or on the CPU.

    Parameters
    ----------
    config : PhotozConfig
    arrays : dict of str to ndarray
        See `TableFold`.
    n_members : int

    Returns
    -------
    members : tuple of bytes
        The `.keras` file of each network.
    trained_on : dict
        Sizes and hash of the training set, and the validation scores of each network.
    """
    strategy = choose_strategy("mirrored" if tf.config.list_physical_devices("GPU") else "none")
    fold, members, scores = TableFold(config, arrays), [], []
    for member in range(n_members):
        with tempfile.TemporaryDirectory() as folder, tqdm(unit=" galaxies", unit_scale=True, disable=None) as bar:

            def show(epoch, n_epochs, loss, n_galaxies, bar=bar, member=member):
                bar.set_description(f"network {member + 1}/{n_members} epoch {epoch}/{n_epochs} loss {loss:.3f}", False)
                bar.update(n_galaxies)

            history = fit(fold, folder, member_seed(config.seed, 0, member), strategy, on_batch=show)
            members.append((Path(folder) / "model.keras").read_bytes())
        scores.append({name: value for name, value in history[-1].items() if name.startswith("validation")})
    trained_on = {
        "n_training": fold.train.n_galaxies,
        "n_validation": config.data.n_validation,
        "table_sha256": _hash(arrays),
        "validation": scores,
    }
    return tuple(members), trained_on


def _hash(arrays):
    """SHA-256 of images, reddening and redshifts, in their order."""
    digest = hashlib.sha256()
    for name in ("image", "ebv", "z_spec"):
        digest.update(np.ascontiguousarray(arrays[name]))
    return digest.hexdigest()
