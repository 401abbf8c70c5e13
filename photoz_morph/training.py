"""Fit one network: strategy, loss, learning rate, history, and a checkpoint after each epoch to resume from.

A run that was killed goes on where its last whole epoch ended and ends with the weights of an undisturbed run: the
checkpoint holds weights, optimizer and iteration count in one file, and the batches of an epoch depend on its seed
and number alone.
"""

import csv
import sys
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from photoz_morph.metrics.photoz import residuals, sigma_mad
from photoz_morph.models import LAYERS, build_model, load_network
from photoz_morph.models.photometric_inputs import adapt_to_training_set

HISTORY_COLUMNS = (
    "epoch", "iterations", "learning_rate", "loss", "validation_loss", "validation_sigma_mad", "seconds",
)  # fmt: skip


def choose_strategy(name="auto"):
    """Distribution strategy over the visible devices.

    Parameters
    ----------
    name : str
        "auto" (mirrored over all GPUs, or the one device there is), "mirrored" (over all GPUs, or all logical CPUs)
        or "none".

    Returns
    -------
    tf.distribute.Strategy
    """
    gpus, cpus = tf.config.list_logical_devices("GPU"), tf.config.list_logical_devices("CPU")
    if name == "none" or (name == "auto" and not gpus):
        return tf.distribute.get_strategy()
    if name not in ("auto", "mirrored"):
        raise ValueError(f"--strategy is {name!r}, must be auto, mirrored or none")
    return tf.distribute.MirroredStrategy([device.name for device in gpus or cpus])


def fit(config, member_dir, train, validation, adaptation_sample, seed, strategy, on_batch=None):
    """Train one network to its end, from where its last checkpoint stands.

    Parameters
    ----------
    config : PhotozConfig
    member_dir : path-like
        `model.keras` and `history.csv` are written there; `checkpoint.keras` is there while training goes on.
    train : PhotozBatches
    validation : tuple
        (batches, z_spec): a dataset of network inputs and the redshifts in its order, shape (n,).
    adaptation_sample : dict
        "image" and "ebv" of some training galaxies, for layers that measure the training set.
    seed : int
        Of weights, order and augmentation.
    strategy : tf.distribute.Strategy
    on_batch : callable, optional
        Called as on_batch(epoch, n_epochs, loss, n_galaxies) after each batch.

    Returns
    -------
    list of dict
        The history, one entry per epoch, with keys `HISTORY_COLUMNS`.

    Raises
    ------
    ValueError
        If the training set is smaller than a batch, or a batch cannot be shared equally among the replicas.
    RuntimeError
        If the loss is no longer a number.
    """
    member_dir = Path(member_dir)
    member_dir.mkdir(parents=True, exist_ok=True)
    if train.steps_per_epoch == 0:
        raise ValueError(f"data.batch_size is {train.batch_size}, there are {train.n_galaxies} training galaxies; lower it")
    if train.batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            f"data.batch_size is {train.batch_size}, not a multiple of the {strategy.num_replicas_in_sync} devices"
        )
    n_iterations = config.train.iterations or config.train.epochs * train.steps_per_epoch
    n_epochs = -(-n_iterations // train.steps_per_epoch)
    with strategy.scope():
        model = _load_checkpoint(member_dir)
        if model is None:
            model = new_network(config, n_iterations, seed)
            adapt_to_training_set(model, **adaptation_sample)

    history = _read_history(member_dir, int(model.optimizer.iterations.numpy()) // train.steps_per_epoch)
    for epoch in range(len(history), n_epochs):
        start = time.monotonic()
        steps = min(train.steps_per_epoch, n_iterations - epoch * train.steps_per_epoch)
        monitor = _BatchMonitor(epoch, n_epochs, train.batch_size, on_batch, member_dir)
        quietly = {"epochs": 1, "verbose": 0, "shuffle": False}
        logs = model.fit(train.epoch(seed, epoch).take(steps), callbacks=[monitor], **quietly).history
        validation_loss, validation_sigma_mad = _validate(model, config.redshift, *validation)
        row = (
            epoch + 1, epoch * train.steps_per_epoch + steps, float(model.optimizer.learning_rate), logs["loss"][0],
            validation_loss, validation_sigma_mad, time.monotonic() - start,
        )  # fmt: skip
        history.append(dict(zip(HISTORY_COLUMNS, row)))
        _write_history(member_dir, history)
        _save_checkpoint(model, member_dir)
    finished = member_dir / "model.part.keras"
    network = keras.Model.from_config(model.get_config(), LAYERS)  # without the optimizer, two thirds of the file
    network.set_weights(model.get_weights())
    network.save(finished)
    finished.replace(member_dir / "model.keras")
    for checkpoint in _checkpoints(member_dir):
        checkpoint.unlink(missing_ok=True)
    return history


def new_network(config, n_iterations, seed):
    """A network of the config, compiled: cross-entropy (Pasquet et al. 2019, Sec. 3.5) and Adam.

    Parameters
    ----------
    config : PhotozConfig
    n_iterations : int
        Iterations of the whole training, for the learning-rate schedule.
    seed : int
    """
    default = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.train.precision)
    try:
        model = build_model(config, seed)
    finally:
        keras.config.set_dtype_policy(default)
    optimizer = keras.optimizers.Adam(learning_rate_schedule(config.train, n_iterations))
    # XLA is slower on CPUs and fails under MirroredStrategy, and Keras's own choice depends on the machine.
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(), jit_compile=False)
    return model


def learning_rate_schedule(train, n_iterations):
    """Learning rate against iteration: constant, cosine to zero, or divided by five at half-way; after a warm-up."""
    peak, warmup = train.learning_rate, train.warmup_iterations
    if train.schedule == "cosine":
        decay = max(n_iterations - warmup, 1)
        if warmup == 0:
            return keras.optimizers.schedules.CosineDecay(peak, decay)
        return keras.optimizers.schedules.CosineDecay(peak / warmup, decay, warmup_target=peak, warmup_steps=warmup)
    boundaries, values = ([n_iterations // 2], [peak, peak / 5]) if train.schedule == "halfway" else ([], [peak])
    if warmup:
        boundaries, values = [warmup // 2, warmup, *boundaries], [peak / 10, peak / 3, *values]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values) if boundaries else peak


class _BatchMonitor(keras.callbacks.Callback):
    """Reports each batch, and stops at a loss that is not a number."""

    def __init__(self, epoch, n_epochs, batch_size, on_batch, member_dir):
        super().__init__()
        self.epoch, self.n_epochs, self.batch_size = epoch, n_epochs, batch_size
        self.on_batch, self.member_dir = on_batch, member_dir

    def on_train_batch_end(self, batch, logs=None):
        loss = float(logs["loss"])
        if not np.isfinite(loss):
            raise RuntimeError(
                f"{self.member_dir}: the loss is {loss} in epoch {self.epoch + 1}, batch {batch + 1}; lower "
                "train.learning_rate, or look for wrong pixels in the stacks"
            )
        if self.on_batch:
            self.on_batch(self.epoch + 1, self.n_epochs, loss, self.batch_size)


def _validate(model, grid, batches, z_spec):
    """Cross-entropy with the hard bin, and sigma_MAD, of the validation galaxies."""
    pdf = model.predict(batches, verbose=0)
    probability = pdf[np.arange(len(pdf)), grid.bin_index(z_spec)]
    loss = -np.mean(np.log(np.maximum(probability, keras.config.epsilon())))
    return float(loss), float(sigma_mad(residuals(grid.expectation(pdf), z_spec)))


def _checkpoints(member_dir):
    """The last checkpoint, and the one before it."""
    return member_dir / "checkpoint.keras", member_dir / "checkpoint_previous.keras"


def _save_checkpoint(model, member_dir):
    """Weights, optimizer and iteration count in one file; the previous one is kept until the next."""
    last, previous = _checkpoints(member_dir)
    part = member_dir / "checkpoint.part.keras"
    model.save(part)
    if last.exists():
        last.replace(previous)
    part.replace(last)


def _load_checkpoint(member_dir):
    """The last checkpoint that can be read, or None."""
    for path in _checkpoints(member_dir):
        if path.exists():
            try:
                return load_network(path, compile=True)
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                reason = " ".join(str(error).split())[:200]
                tqdm.write(f"{path}: cannot be read ({reason}); going back to the one before it", file=sys.stderr)
    return None


def _read_history(member_dir, n_epochs):
    """The first epochs of a history file; rows of an epoch whose checkpoint was not written are dropped."""
    path = member_dir / "history.csv"
    if n_epochs == 0 or not path.exists():
        return []
    with path.open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)][:n_epochs]
    return [{**row, "epoch": int(row["epoch"]), "iterations": int(row["iterations"])} for row in rows]


def _write_history(member_dir, history):
    part = member_dir / "history.csv.part"
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, HISTORY_COLUMNS)
        writer.writeheader()
        writer.writerows(history)
    part.replace(member_dir / "history.csv")
