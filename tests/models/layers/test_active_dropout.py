import numpy as np
import pytest

from photoz_morph.models.layers.active_dropout import ActiveDropout, with_active_dropout
from photoz_morph.models.layers.defences import defended
from photoz_morph.models.layers.image_scaling import scaling_preset
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier


def network(dropout=0.4):
    scaling = scaling_preset("default")
    scaling.set_quantiles([[-30.0, 100.0]])
    return build_classifier("convnet", (20, 20, 3), seed=3, width=4, n_latent=6, dropout=dropout, scaling=scaling)


STAMPS = (np.random.default_rng(0).normal(size=(4, 20, 20, 3)) * 60).astype(np.float32)


def test_calls_differ_and_have_the_mean_of_the_network():
    # Bottleneck and head are linear, so dropout with its scaling leaves the mean of the logits as it is.
    bare = network()
    active = with_active_dropout(bare)
    expected = bare({"image": STAMPS})["logits"]
    passes = np.stack([active({"image": STAMPS})["logits"] for _ in range(300)])
    spread = passes.std(axis=0)
    assert np.all(spread > 1e-4)
    np.testing.assert_allclose(passes.mean(axis=0), expected, atol=5 * (spread / np.sqrt(300)).max())
    np.testing.assert_array_equal(bare({"image": STAMPS})["logits"], expected)  # the network itself is left alone


def test_batch_norm_stays_as_it_is_in_use():
    active = with_active_dropout(network())
    before = [np.array(weight) for weight in active.get_weights()]
    active({"image": STAMPS})
    for weight, old in zip(active.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_the_same_calls_drop_the_same_units():
    bare = network()
    one, other = ([np.asarray(model({"image": STAMPS})["logits"]) for _ in range(2)]
                  for model in (with_active_dropout(bare, 5), with_active_dropout(bare, 5)))  # fmt: skip
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one[0], with_active_dropout(bare, 6)({"image": STAMPS})["logits"])


def test_a_network_behind_a_defence_can_drop_units():
    model = defended(with_active_dropout(network()), "median")
    first, second = (np.asarray(model({"image": STAMPS})["logits"]) for _ in range(2))
    assert np.abs(first - second).max() > 1e-4


def test_networks_without_dropout_are_refused():
    with pytest.raises(ValueError, match="convnet has no dropout.*--set model.dropout=0.2"):
        with_active_dropout(network(dropout=0.0))


def test_the_layer_survives_saving(tmp_path):
    model = with_active_dropout(network())
    model.save(tmp_path / "active.keras")
    back = load_network(tmp_path / "active.keras")
    assert any(isinstance(layer, ActiveDropout) for layer in back.layers)
    first, second = (np.asarray(back({"image": STAMPS})["logits"]) for _ in range(2))
    assert np.abs(first - second).max() > 1e-4
