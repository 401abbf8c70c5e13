"""Train networks on a table in memory, as `photoz train` does from a dataset on disk.

A random sample of `data.n_validation` galaxies, drawn by the seed, is held out to validate the networks; where the
table has `group_id`, whole groups are.
"""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.photoz.dataset import PhotozBatches, augmentations_of
from photoz_morph.photoz.experiment import N_ADAPTATION, PhotozFold
from photoz_morph.training.ensemble import member_seed
from photoz_morph.training.fit import choose_strategy, fit
from photoz_morph.training.kept_model import KeptModel


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
        self._inputs, self.augmentations = ("ebv", *config.model.observing), augmentations_of(config)
        self._tensors, self._galaxies = tensors, tf.data.Dataset.from_tensor_slices(rows)

    def _shuffled(self, seed, epoch):
        return _galaxies(self._tensors, super()._shuffled(seed, epoch))


class TableFold(PhotozFold):
    """Training and validation galaxies of a table, and the network trained on them.

    Parameters
    ----------
    config : PhotozConfig
    arrays : dict of str to ndarray
        `image` (n, size, size, n_bands), `ebv` [mag], `z_spec`, integer `obj_id`, and optionally `group_id`, all finite
        and on the grid, and the observing conditions of the config; more rows than `data.n_validation`.

    Raises
    ------
    ValueError
        If the groups held out leave less than a batch to train on.
    """

    def __init__(self, config, arrays):
        self.config, self.kept_model = config, KeptModel()
        is_validation = _validation_rows(arrays, config)
        validation, train = np.flatnonzero(is_validation), np.flatnonzero(~is_validation)
        if len(train) < config.data.batch_size:
            raise ValueError(
                f"validation takes {len(validation)} of {len(is_validation)} galaxies, whole groups of `group_id`, and "
                f"leaves fewer than data.batch_size ({config.data.batch_size}) to train on; lower data.n_validation"
            )
        with tf.device("cpu"):  # a GPU's memory is for the network
            tensors = {name: tf.constant(array) for name, array in arrays.items() if name != "group_id"}
        inputs = {name: tensors[name] for name in ("image", "ebv", *config.model.observing)}
        self.train = TableBatches(tensors, train, config)
        self._validation = _galaxies(inputs, tf.data.Dataset.from_tensor_slices(validation)).batch(BATCH_SIZE)
        self._z_spec = arrays["z_spec"][validation]
        measured = tf.data.Dataset.from_tensor_slices(train[:N_ADAPTATION])
        self.adaptation_sample = _galaxies(inputs, measured).batch(BATCH_SIZE)


def _validation_rows(arrays, config):
    """Mask of the galaxies held out, shape (n,): `data.n_validation`, and as many more as complete the last group."""
    n_galaxies, n_validation = len(arrays["z_spec"]), config.data.n_validation
    order = np.random.default_rng([config.seed, n_galaxies]).permutation(n_galaxies)
    is_validation = np.isin(np.arange(n_galaxies), order[:n_validation])
    if "group_id" in arrays:
        group_id, chosen, n_chosen = arrays["group_id"][order], set(), 0
        _, first, counts = np.unique(group_id, return_index=True, return_counts=True)
        for group in np.argsort(first):  # in the random order in which their first galaxies come
            if n_chosen >= n_validation:
                break
            chosen.add(group_id[first[group]])
            n_chosen += counts[group]
        is_validation = np.isin(arrays["group_id"], list(chosen))
    return is_validation


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
        "n_validation": len(arrays["z_spec"]) - fold.train.n_galaxies,
        "table_sha256": _hash(arrays),
        "validation": scores,
    }
    return tuple(members), trained_on


def _hash(arrays):
    """SHA-256 of what the networks are told and of the redshifts, in their order."""
    digest = hashlib.sha256()
    for name in [name for name in arrays if name not in ("obj_id", "group_id")]:
        digest.update(np.ascontiguousarray(arrays[name]))
    return digest.hexdigest()
