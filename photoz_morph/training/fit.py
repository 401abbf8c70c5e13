"""Fit one network: strategy, loss, learning rate, history, and a checkpoint after each epoch to resume from.

An interrupted run resumes after its last complete epoch and ends with the weights of an undisturbed run: the
checkpoint holds weights, optimizer and iteration count in one file, and the batches of an epoch depend on its seed
and number alone.
"""

import csv
import time
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from photoz_morph.runs.progress import read_history
from photoz_morph.system.files import write_whole
from photoz_morph.training.averaging import KeepRawWeights, averaged_weights
from photoz_morph.training.checkpoints import checkpoint_paths, iterations_done, load_checkpoint, save_checkpoint
from photoz_morph.training.dropout import reset_dropout
from photoz_morph.training.passes import SeveralPasses
from photoz_morph.training.schedules import passes_per_epoch, training_length


def choose_strategy(name):
    """Distribution strategy.

    Parameters
    ----------
    name : {"mirrored", "none"}
        Mirrored over all GPUs or, where there is none, all logical CPUs; or TensorFlow's default, one device.

    Returns
    -------
    tf.distribute.Strategy
    """
    if name == "none":
        return tf.distribute.get_strategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def fit(fold, member_dir, seed, strategy, on_batch=None):
    """Train one network to its end, from its last checkpoint if there is one.

    Parameters
    ----------
    fold : PhotozFold or MorphFold
        Data, network and scores of the experiment; see `photoz.experiment` and `morph.experiment`. If it has a
        `kept_model`, all its networks are trained in one model; see `kept_model.KeptModel`.
    member_dir : path-like
        Folder for `model.keras` and `history.csv`; during training also for `checkpoint.keras`.
    seed : int
        For weights, order, augmentation and dropout.
    strategy : tf.distribute.Strategy
    on_batch : callable, optional
        Called as on_batch(epoch, n_epochs, loss, n_galaxies) after each batch.

    Returns
    -------
    list of dict
        The history, one entry per epoch: `epoch`, `iterations`, `learning_rate`, the losses of training, the scores of
        the fold's `validate`, and `seconds`.

    Raises
    ------
    ValueError
        If the training set is smaller than a batch, or a batch cannot be divided equally among the replicas.
    RuntimeError
        If a weight or the loss is no longer finite.
    """
    member_dir, train = Path(member_dir), fold.train
    member_dir.mkdir(parents=True, exist_ok=True)
    if train.steps_per_epoch == 0:
        raise ValueError(
            f"data.batch_size is {train.batch_size}, there are {train.n_galaxies} training galaxies; lower it"
        )
    if train.batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            f"data.batch_size is {train.batch_size}, not a multiple of the {strategy.num_replicas_in_sync} devices"
        )
    train = SeveralPasses(train, passes_per_epoch(fold.config, train.n_galaxies))
    n_iterations, n_epochs = training_length(fold.config, train.n_galaxies)
    with strategy.scope():
        loaded = load_checkpoint(member_dir, fold)
        model = loaded or fold.new_network(n_iterations, seed)
        if not model.optimizer.built:  # the first step would do it, and then be traced twice
            model.optimizer.build(model.trainable_variables)
        keep = getattr(fold, "kept_model", None)
        if keep and loaded is None:
            model = keep(model)

    # Rows of an epoch whose checkpoint was not written are dropped: that epoch is run again. By iterations, since the
    # last epoch may be a partial one.
    n_done, weights_are_finite = iterations_done(model), _weights_are_finite(model)
    history = [row for row in read_history(member_dir) if row["iterations"] <= n_done]
    for epoch in range(len(history), n_epochs):
        start = time.monotonic()
        steps = min(train.steps_per_epoch, n_iterations - epoch * train.steps_per_epoch)
        reset_dropout(model, seed, epoch)
        monitor = _monitor(train, seed, epoch, weights_are_finite, on_batch and partial(on_batch, epoch + 1, n_epochs))
        logs = _run_epoch(model, train, seed, epoch, steps, monitor)
        with averaged_weights(model):
            scores = fold.validate(model)
        row = {
            "epoch": epoch + 1,
            "iterations": epoch * train.steps_per_epoch + steps,
            "learning_rate": float(model.optimizer.learning_rate),
            "loss": float(logs.pop("loss")[0]),
            **{name: float(values[0]) for name, values in logs.items()},  # terms of the loss, if it has several
            **scores,
        }
        history.append({**row, "seconds": time.monotonic() - start})
        _write_history(member_dir, history)
        _log_to_tensorboard(member_dir, row)
        save_checkpoint(model, member_dir)
    with averaged_weights(model), write_whole(member_dir / "model.keras", keep_suffix=True) as part:
        fold.trained_network(model).save(part)
    for checkpoint in checkpoint_paths(member_dir):
        checkpoint.unlink(missing_ok=True)
    return history


def _weights_are_finite(model):
    """Function that tells whether all weights in training are finite, compiled once for all epochs."""

    @tf.function
    def weights_are_finite():
        return tf.reduce_all([tf.reduce_all(tf.math.is_finite(weight)) for weight in model.trainable_variables])

    return weights_are_finite


def _monitor(train, seed, epoch, weights_are_finite, on_batch):
    """Callback of Keras that stops an epoch whose loss or weights are not finite, and tells of each batch."""

    def watch(batch, logs):
        # A ReLU turns NaN into 0 on CPUs, so the loss may be finite when the weights are not. (Keras's JAX trainer
        # holds the weights elsewhere until the epoch ends; there only the loss is checked.)
        is_finite = np.isfinite(logs["loss"]) and (keras.backend.backend() != "tensorflow" or weights_are_finite())
        if not is_finite:
            galaxies = ", ".join(map(str, train.obj_ids(seed, epoch, batch)))
            raise RuntimeError(
                f"a weight or the loss ({float(logs['loss']):.4g}) is no longer finite in epoch {epoch + 1}, batch "
                f"{batch + 1}; check the images of its galaxies, or lower train.learning_rate. obj_id: {galaxies}"
            )
        if on_batch:
            on_batch(float(logs["loss"]), train.batch_size)

    return keras.callbacks.LambdaCallback(on_train_batch_end=watch)


def _run_epoch(model, train, seed, epoch, steps, monitor):
    """Train on one epoch and return Keras's logs of it."""
    try:
        # Keras would shuffle arrays; a dataset keeps its order.
        batches = train.epoch(seed, epoch).take(steps)
        return model.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[monitor, KeepRawWeights()]).history
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(
            f"out of memory with data.batch_size {train.batch_size}; try --set data.batch_size="
            f"{max(train.batch_size // 2, 1)} with another --run-dir"
        ) from error


def _write_history(member_dir, history):
    with write_whole(member_dir / "history.csv") as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def _log_to_tensorboard(member_dir, row):
    """Scalars of one epoch, for `tensorboard --logdir RUN`."""
    writer = tf.summary.create_file_writer(str(member_dir / "tensorboard"))
    with writer.as_default():
        for name, value in row.items():
            if name not in ("epoch", "iterations"):
                tf.summary.scalar(name, value, step=row["epoch"])
    writer.close()
