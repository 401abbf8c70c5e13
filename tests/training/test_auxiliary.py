import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.training.auxiliary import (
    AuxiliaryTargets,
    KnownTargetsLoss,
    with_auxiliary_head,
)
from photoz_morph.transfer.fine_tuning import copy_merged_weights

NAMES = ("r_e", "axis_ratio", "mags")


def columns(n=50, seed=1):
    rng = np.random.default_rng(seed)
    return {
        "r_e": np.exp(rng.normal(1, 0.5, n)).astype(np.float32),
        "axis_ratio": rng.uniform(0.2, 1, n).astype(np.float32),
        "mags": rng.normal(18, 1, (n, 2)).astype(np.float32),
    }


def test_targets_of_the_training_set_have_zero_mean_and_unit_variance():
    galaxies = columns()
    galaxies["r_e"][:4] = 0, -1, np.nan, np.inf  # no size
    values = AuxiliaryTargets.of_training_set(galaxies, NAMES, "data")(galaxies).numpy()
    assert values.shape == (50, 4) and np.isnan(values[:4, 0]).all() and np.isfinite(values[4:]).all()
    np.testing.assert_allclose(np.nanmean(values, axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(values, axis=0), 1, rtol=1e-4)
    size = np.log(galaxies["r_e"][4:].astype(float))
    np.testing.assert_allclose(values[4:, 0], (size - size.mean()) / size.std(), atol=1e-4)


def test_what_is_unknown_or_the_same_for_all_is_no_target():
    galaxies = columns() | {"r_e": np.full(50, np.nan, np.float32), "axis_ratio": np.full(50, 0.7, np.float32)}
    values = AuxiliaryTargets.of_training_set(galaxies, NAMES, "data")(galaxies).numpy()
    assert np.isnan(values[:, :2]).all() and np.isfinite(values[:, 2:]).all()
    with pytest.raises(ValueError, match="data: the training galaxies have none of r_e, axis_ratio, or the same"):
        AuxiliaryTargets.of_training_set(galaxies, NAMES[:2], "data")


def test_the_loss_is_the_mean_over_known_targets():
    truth, found = np.float32([[0, np.nan, 1], [np.nan] * 3]), np.float32([[0.6, 5, 3], [1, 2, 3]])
    loss = KnownTargetsLoss(reduction=None)(truth, found)
    np.testing.assert_allclose(loss, [(0.6**2 / 2 + 1.5) / 2, 0], rtol=1e-6)
    found = tf.Variable(found)
    with tf.GradientTape() as tape:
        loss = KnownTargetsLoss()(truth, found)
    np.testing.assert_allclose(tape.gradient(loss, found), [[0.15, 0, 0.25], [0, 0, 0]], rtol=1e-6)  # of two galaxies


def test_a_head_shares_the_layers_and_leaves_their_weights_and_the_output():
    random.seed(1)
    image = keras.Input((3,), name="image")
    hidden = keras.layers.Dense(4, activation="relu", name="FC2")(image)
    network = keras.Model({"image": image}, keras.layers.Dense(5, activation="softmax", name="redshift_pdf")(hidden))
    before, values = network.get_weights(), {"image": np.ones((2, 3), np.float32)}
    model = with_auxiliary_head(network, 7, seed=3)
    outputs = model(values)
    np.testing.assert_array_equal(outputs["redshift_pdf"], network(values))
    assert outputs["auxiliary"].shape == (2, 7)
    for a, b in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    other = keras.models.clone_model(network)
    copy_merged_weights(model, other)
    np.testing.assert_array_equal(other(values), network(values))


def test_a_head_learns_what_is_known():
    rng = np.random.default_rng(1)
    image = rng.normal(size=(64, 3)).astype(np.float32)
    truth = np.stack([image[:, 0] + image[:, 1], image[:, 2], np.full(64, np.nan)], axis=1).astype(np.float32)
    truth[::3, 0] = np.nan
    inputs = keras.Input((3,), name="image")
    hidden = keras.layers.Dense(16, activation="relu", name="FC2")(inputs)
    network = keras.Model({"image": inputs}, keras.layers.Dense(2, activation="softmax", name="redshift_pdf")(hidden))
    model = with_auxiliary_head(network, 3, seed=3)
    losses = {"redshift_pdf": "categorical_crossentropy", "auxiliary": KnownTargetsLoss()}
    model.compile(keras.optimizers.Adam(0.02), losses, jit_compile=False)
    target = {"redshift_pdf": np.full((64, 2), 0.5, np.float32), "auxiliary": truth}
    model.fit({"image": image}, target, 64, epochs=150, verbose=0, shuffle=False)
    error = model({"image": image})["auxiliary"].numpy() - truth
    assert np.nanstd(error[:, 0]) < 0.15 and np.nanstd(error[:, 1]) < 0.15
