"""A small sample of galaxies with maps, and predictions of maps, fields and parameters."""

from contextlib import contextmanager

import numpy as np
import pytest

from photoz_morph.blend.maps.predictions import map_predictions
from photoz_morph.blend.maps.truth import Truth
from photoz_morph.simulation.populations import sample
from photoz_morph.simulation.populations.sample import MapSettings, simulate_maps

N_MAPS = 60
SETTINGS = MapSettings(size=32, seed=3)


@contextmanager
def few_encounters():
    """All mergers are views of two encounters, of which each takes a second to simulate."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "N_ENCOUNTERS", 2)
        yield


def make_maps(folder):
    """Write the shards of the sample."""
    with few_encounters():
        simulate_maps(folder, N_MAPS, SETTINGS, n_processes=1, progress=False)


META = {"dataset": "toy", "origin": "simulated", "model": "net", "split": "test"}


def toy_truth(answer, n=12, seed=1):
    """Random images and answers of 16 x 16 pixels, two images a group."""
    rng = np.random.default_rng(seed)
    names = {"maps": ("mass", "age", "metallicity", "a_v"), "field": ("field",), "parameters": ("Omega_m", "sigma_8")}
    n_bands = {"maps": 3, "field": 2, "parameters": 1}[answer]
    images = rng.normal(5, 1, (n, 16, 16, n_bands)).astype(np.float32)
    inside = np.ones((n, 16, 16), bool)
    values = rng.normal(size=(n, 16, 16, len(names[answer]))).astype(np.float32)
    if answer == "maps":
        inside[:, :3] = False
        values[~inside] = np.nan
    if answer == "field":
        images[..., 1] = rng.random((n, 16, 16)) < 0.8
    if answer == "parameters":
        values = rng.uniform(0.1, 0.9, (n, 2)).astype(np.float32)
    return Truth(answer, images, values, inside, np.arange(n) + 100, np.arange(n) // 2, names[answer])


def toy_predictions(truth, error=0.1, seed=2, **meta):
    """Predictions with Gaussian errors, which those of parameters state."""
    noise = np.random.default_rng(seed).normal(0, error, truth.values.shape)
    values = truth.values + noise
    if truth.answer == "parameters":
        values = np.stack([values, np.full(values.shape, np.log(error))], axis=-1)
    return map_predictions(truth, values, META | meta)
