"""Trainings of one network, and how to kill them."""

import shutil

import numpy as np

from photoz_morph.models.loading import load_network
from photoz_morph.photoz.experiment import PhotozExperiment
from photoz_morph.training.fit import choose_strategy, fit


def fit_fold(config, data_dir, member_dir, seed=1, on_batch=None):
    """Train one network of fold 0, as `train_ensemble` does."""
    return fit(PhotozExperiment(config, data_dir).fold(0), member_dir, seed, choose_strategy("none"), on_batch)


def final_weights(member_dir):
    return load_network(member_dir / "model.keras").get_weights()


def same(weights, others):
    return all(np.array_equal(a, b) for a, b in zip(weights, others, strict=True))


class Killed(Exception):
    """Stands in for SIGKILL: nothing in the package catches it."""


def kill_at(epoch, batch):
    """A callback of `fit` that stops it in a given batch of a given epoch."""

    def kill():
        raise Killed

    return _call_at(epoch, batch, kill)


def copy_at(epoch, batch, member_dir, copy):
    """A callback of `fit` that copies the folder of the network as SIGKILL would leave it there, and lets it go on.

    One training is then both the undisturbed one and, by its copy, the one that is resumed.
    """
    return _call_at(epoch, batch, lambda: shutil.copytree(member_dir, copy))


def _call_at(epoch, batch, function):
    seen = []

    def on_batch(current, n_epochs, loss, n_galaxies):
        seen.append(current)
        if current == epoch and seen.count(epoch) == batch:
            function()

    return on_batch
