"""Networks whose explanation is known."""

import random

import keras
import numpy as np

from tests.support.paths import ROOT

BANDS = 3


def two_inputs(side=6, seed=0):
    """Network of an image and E(B-V) to the logits of four classes, smooth everywhere.

    Keras draws initial weights from Python's random numbers; its own `set_random_seed` would change the order of
    all later datasets of the process.
    """
    random.seed(seed)
    image, ebv = keras.Input((side, side, BANDS), name="image"), keras.Input((), name="ebv")
    maps = keras.layers.Conv2D(4, 3, activation="tanh", name="maps")(image)
    flat = keras.layers.Flatten(name="flat")(maps)
    joined = keras.layers.Concatenate(name="joined")([flat, keras.layers.Reshape((1,), name="column")(ebv)])
    hidden = keras.layers.Dense(5, activation="tanh", name="hidden")(joined)
    return keras.Model({"image": image, "ebv": ebv}, keras.layers.Dense(4, name="logits")(hidden))


def linear(side=6, seed=1):
    """Network that is linear in image and E(B-V), with its weights: (network, of the image, of E(B-V))."""
    rng = np.random.default_rng(seed)
    image, ebv = keras.Input((side, side, BANDS), name="image"), keras.Input((), name="ebv")
    flat = keras.layers.Flatten(name="flat")(image)
    joined = keras.layers.Concatenate(name="joined")([flat, keras.layers.Reshape((1,), name="column")(ebv)])
    layer = keras.layers.Dense(1, name="logits")
    network = keras.Model({"image": image, "ebv": ebv}, layer(joined))
    weights = rng.normal(size=(side * side * BANDS + 1, 1)).astype("float32")
    layer.set_weights([weights, np.array([0.3], "float32")])
    return network, weights[:-1, 0].reshape(side, side, BANDS), weights[-1, 0]


def galaxies(n=5, side=6, seed=2):
    """Inputs of these networks."""
    rng = np.random.default_rng(seed)
    return {
        "image": rng.normal(size=(n, side, side, BANDS)).astype("float32"),
        "ebv": rng.uniform(0.1, 0.5, n).astype("float32"),
    }


def total(output, galaxies):
    """Target of a network with one output."""
    return output[:, 0]


def captum_reference():
    """Weights, inputs and attributions by captum, arrays by name: see scripts/make_explain_reference.py."""
    with np.load(ROOT / "tests" / "data" / "explain_reference.npz") as stored:
        return {name: stored[name] for name in stored.files}


def network_of_captum(stored):
    """Network with these weights; of `image` and `scalar`."""
    image, scalar = keras.Input((8, 8, 3), name="image"), keras.Input((), name="scalar")
    maps = keras.layers.ReLU(name="relu1")(keras.layers.Conv2D(4, 3, padding="same", name="conv1")(image))
    maps = keras.layers.ReLU(name="relu2")(keras.layers.Conv2D(5, 3, name="conv2")(maps))
    flat = keras.layers.Flatten(name="flat")(keras.layers.AveragePooling2D(2, name="pool")(maps))
    joined = keras.layers.Concatenate(name="joined")([flat, keras.layers.Reshape((1,), name="column")(scalar)])
    hidden = keras.layers.ReLU(name="relu3")(keras.layers.Dense(6, name="dense1")(joined))
    network = keras.Model({"image": image, "scalar": scalar}, keras.layers.Dense(3, name="dense2")(hidden))
    for name in ("conv1", "conv2", "dense1", "dense2"):
        network.get_layer(name).set_weights([stored[f"{name}_kernel"], stored[f"{name}_bias"]])
    return network
