import keras
import numpy as np
import pytest

from photoz_morph.training.averaging import KeepRawWeights, averaged_weights, check_momentum


def network(**options):
    """A linear fit of one weight a step, from zero."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.1, **options), "mse", jit_compile=False)
    return model


def train(model, n_steps):
    """Raw weight after each step of one `fit`."""
    seen = []
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(weight(model)))
    model.fit(np.ones((n_steps, 1)), 3 * np.ones((n_steps, 1)), 1, shuffle=False, verbose=0,
              callbacks=[watch, KeepRawWeights()])  # fmt: skip
    return seen


def weight(model):
    return float(model.get_weights()[0][0, 0])


def test_training_goes_on_from_the_raw_weights_and_the_average_is_that_of_all_steps():
    plain, averaged = network(), network(use_ema=True, ema_momentum=0.8)
    raw = train(plain, 4) + train(plain, 3)
    assert train(averaged, 4) + train(averaged, 3) == raw and weight(averaged) == raw[-1]
    expected = raw[0]
    for value in raw[1:]:
        expected = 0.8 * expected + 0.2 * value
    with averaged_weights(averaged):
        assert weight(averaged) == pytest.approx(expected, rel=1e-6)
    assert weight(averaged) == raw[-1]


def test_a_network_without_an_average_is_left_alone():
    model = network()
    raw = train(model, 3)
    with averaged_weights(model):
        assert weight(model) == raw[-1]


def test_the_raw_weights_come_back_after_an_error():
    model = network(use_ema=True, ema_momentum=0.5)
    raw = train(model, 3)
    with pytest.raises(KeyError), averaged_weights(model):
        raise KeyError
    assert weight(model) == raw[-1]


def test_an_average_over_most_of_the_training_is_refused():
    check_momentum(0.99, 200)
    with pytest.raises(ValueError, match="train.ema_momentum is 0.99, an average over 100 iterations, more than half"):
        check_momentum(0.99, 199)
