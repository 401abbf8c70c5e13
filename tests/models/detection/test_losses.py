import keras
import numpy as np
import pytest

from photoz_morph.models.detection.losses import HeatMapLoss, KnownPixelsLoss, smooth_l1


def test_heat_map_loss_by_hand():
    """Two pixels: a centre with p = 0.6, and a pixel with Y = 0.5 and p = 0.2."""
    logits = np.log([0.6 / 0.4, 0.2 / 0.8]).reshape(1, 1, 2, 1)
    heat = np.array([1.0, 0.5]).reshape(1, 1, 2, 1)
    expected = -(0.4**2 * np.log(0.6) + 0.5**4 * 0.2**2 * np.log(0.8))
    assert float(HeatMapLoss()(heat, logits)) == pytest.approx(expected, rel=1e-5)


def test_heat_map_loss_is_over_the_centres_of_each_image():
    rng = np.random.default_rng(1)
    logits, heat = rng.normal(size=(3, 5, 5, 2)), rng.uniform(0, 0.9, size=(3, 5, 5, 2))
    heat[0, 1, 1], heat[1, 2, 3, 0] = 1, 1  # two centres, one, none
    probability = 1 / (1 + np.exp(-logits))
    each = np.where(heat == 1, (1 - probability) ** 2 * np.log(probability),
                    (1 - heat) ** 4 * probability**2 * np.log(1 - probability)).sum(axis=(1, 2, 3))  # fmt: skip
    np.testing.assert_allclose(HeatMapLoss().call(heat, logits), -each / [2, 1, 1], rtol=1e-5)


def test_heat_map_loss_stays_finite_where_the_network_is_sure():
    heat = np.array([1.0, 0.0]).reshape(1, 1, 2, 1)
    assert np.isfinite(float(HeatMapLoss()(heat, np.array([-500.0, 500.0]).reshape(1, 1, 2, 1))))


def test_unknown_pixels_have_neither_loss_nor_gradient():
    truth = np.full((2, 3, 3, 4), np.nan, np.float32)
    truth[0, 1, 1], truth[0, 2, 0] = [1, 2, 3, 4], 5
    predicted = keras.Variable(np.full((2, 3, 3, 4), 3, np.float32))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = KnownPixelsLoss().call(truth, predicted.value)
    np.testing.assert_allclose(loss, [(2 + 1 + 0 + 1 + 4 * 2) / 2, 0])
    gradient = np.array(tape.gradient(loss, predicted.value))
    assert np.isfinite(gradient).all() and np.count_nonzero(gradient) == 7


def test_smooth_l1_is_quadratic_below_beta_and_of_slope_one_above():
    found = smooth_l1(np.array([0.0, 0.05, -0.2, 3.0], np.float32), beta=0.1)
    np.testing.assert_allclose(found, [0, 0.05**2 / 0.2, 0.15, 2.95], rtol=1e-5)
