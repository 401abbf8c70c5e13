import keras
import numpy as np
import pytest

from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier
from photoz_morph.transfer.fine_tuning import copy_merged_weights, prepared
from photoz_morph.transfer.rates import adam
from photoz_morph.transfer.settings import TransferConfig

RNG = np.random.default_rng(1)
IMAGES, LABELS = RNG.normal(size=(8, 20, 20, 3)).astype(np.float32), RNG.integers(0, 3, 8)
INPUTS = {"image": IMAGES}


def network(seed=1):
    return build_classifier("convnet", (20, 20, 3), width=2, n_latent=4, seed=seed)


def trained(mode, steps=3, **choices):
    """A network before and after a few steps in a mode, and the one that learnt."""
    start = network()
    start(INPUTS)
    before = {layer.name: layer.get_weights() for layer in start.layers}
    outputs = start(INPUTS)["logits"].numpy()
    model, factors = prepared(start, TransferConfig(source="run", mode=mode, **choices), seed=5)
    np.testing.assert_allclose(model(INPUTS)["logits"], outputs, atol=1e-7)  # whatever is to learn, nothing has yet
    logits = keras.Model(model.input, model.output["logits"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    logits.compile(adam(1e-2, factors=factors, epsilon=1e-12), loss, jit_compile=False)
    for _ in range(steps):
        logits.train_on_batch(INPUTS, LABELS)
    return before, model, logits


def moved(before, model):
    return {
        name for name, weights in before.items()
        if any(not np.array_equal(a, b) for a, b in zip(weights, model.get_layer(name).get_weights()))
    }  # fmt: skip


def test_frozen_features_do_not_move_and_neither_do_their_batch_norms():
    before, model, _ = trained("frozen")
    assert moved(before, model) == {"logits"}


def test_the_last_blocks_learn_and_no_others():
    before, model, _ = trained("blocks", blocks=2)
    assert moved(before, model) == {"logits", "latent", "conv3", "bn3"}


def test_all_layers_learn():
    before, model, _ = trained("all")
    assert moved(before, model) == {name for name, weights in before.items() if weights}


def test_more_blocks_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="transfer.blocks is 9, the network has 4 before its head; give fewer"):
        prepared(network(), TransferConfig(source="run", mode="blocks", blocks=9), 1)


def test_the_first_step_of_each_layer_falls_with_its_distance_from_the_head():
    before, model, _ = trained("all", steps=1, decay=0.5)
    # Adam's first step is the rate, whatever the gradient.
    for name, distance in {"logits": 0, "latent": 1, "conv3": 2, "conv2": 3, "conv1": 4}.items():
        step = np.abs(model.get_layer(name).get_weights()[0] - before[name][0])
        assert np.max(step) == pytest.approx(1e-2 * 0.5**distance, rel=1e-2), name


def test_adapters_change_kernels_alone_and_merged_into_them_compute_the_same():
    before, model, _ = trained("lora", rank=2)
    plain = network(seed=7)
    copy_merged_weights(model, plain)
    np.testing.assert_allclose(plain(INPUTS)["logits"], model(INPUTS)["logits"], atol=1e-5)
    assert {type(layer) for layer in plain.layers} == {type(layer) for layer in network().layers}
    for name in ("conv1", "conv2", "conv3", "latent"):
        change = plain.get_layer(name).get_weights()[0] - before[name][0]
        rank = np.linalg.matrix_rank(change.reshape(-1, change.shape[-1]), tol=1e-5)
        assert 1 <= rank <= 2, name
        np.testing.assert_array_equal(plain.get_layer(name).get_weights()[1], before[name][1])  # the bias
    for name in ("bn1", "bn2", "bn3"):
        for a, b in zip(before[name], plain.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("mode", ["lora", "all"])
def test_a_training_comes_back_from_its_file_as_it_was(mode, tmp_path):
    _, _, model = trained(mode, decay=0.5)
    model.save(tmp_path / "checkpoint.keras")
    restored = load_network(tmp_path / "checkpoint.keras", compile=True)
    for each in (model, restored):
        each.train_on_batch(INPUTS, LABELS)
    for a, b in zip(model.get_weights(), restored.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weight_decay_falls_with_the_rate():
    optimizer = adam(0.1, weight_decay=0.5, factors={"near": 0.0, "far": 1.0})
    layers = [keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name=name) for name in ("near", "far")]
    for layer in layers:
        layer.build((None, 1))
    optimizer.apply([keras.ops.zeros((1, 1))] * 2, [layer.kernel for layer in layers])
    assert [float(layer.kernel[0, 0]) for layer in layers] == pytest.approx([1.0, 1 - 0.1 * 0.5])
