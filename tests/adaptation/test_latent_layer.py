import re

import keras
import numpy as np
import pytest
from keras import layers

from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
from photoz_morph.adaptation.latent_layer import with_latent
from tests.support.paths import ROOT

IMAGES = np.random.default_rng(0).normal(size=(24, 8, 8, 1)).astype(np.float32)
LABELS = np.arange(24, dtype=np.int32) % 3


def network(activation="softmax", latent=None):
    latent = latent or (layers.Flatten(), layers.Dense(5, name="latent"))
    return keras.Sequential([keras.Input((8, 8, 1)), *latent, layers.Dense(3, activation=activation)], name="own")


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_outputs_are_the_latents_and_logits_of_the_network(activation):
    own = network(activation)
    outputs = with_latent(own)({"image": IMAGES})
    np.testing.assert_allclose(outputs["latent"], own.layers[1](own.layers[0](IMAGES)), rtol=1e-6)
    expected = own(IMAGES)
    given = keras.ops.softmax(outputs["logits"]) if activation else outputs["logits"]
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_maps_are_a_flat_latent_space():
    maps = (layers.Conv2D(2, 3, name="latent"), layers.Flatten())
    assert with_latent(network(latent=maps)).output["latent"].shape == (None, 72)


def test_training_trains_the_network_itself(tmp_path):
    own = network()
    before = own.predict(IMAGES, verbose=0)
    model = DomainAdaptedClassifier(with_latent(own), [("coral", 1.0, {})])
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit({"source": IMAGES, "target": IMAGES[::-1] * 2}, LABELS, batch_size=8, epochs=2, verbose=0)
    assert not np.allclose(own.predict(IMAGES, verbose=0), before, atol=1e-3)
    model.save(tmp_path / "checkpoint.keras")
    loaded = keras.models.load_model(tmp_path / "checkpoint.keras")
    np.testing.assert_array_equal(loaded({"image": IMAGES})["logits"], model({"image": IMAGES})["logits"])


def refused():
    image = keras.Input((8, 8, 1))
    flat = layers.Flatten()(image)
    return [
        (network(), {"latent": "bottleneck"}, "network 'own' has no layer 'bottleneck'; it has flatten"),
        (keras.Model(image, layers.Dense(1)(flat), name="one"), {}, r"outputs of shape \(None, 1\)"),
        (keras.Model(image, [flat, flat], name="two"), {}, "'two' has not one known input and output"),
        (keras.Sequential([layers.Dense(3)], name="open"), {}, "'open' has not one known input and output"),
    ]


def test_networks_without_one_latent_layer_are_refused():
    for model, options, message in refused():
        with pytest.raises(ValueError, match=message):
            with_latent(model, **options)


def test_the_example_of_the_documentation_adapts_a_network():
    text = (ROOT / "docs" / "adaptation.md").read_text()
    (example,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "with_latent" in block)
    assert len([line for line in example.splitlines() if line and not line.startswith(("import", "from"))]) == 5
    names = {"network": network(), "images": IMAGES, "labels": LABELS, "others": IMAGES[::-1].copy() + 1}
    exec(example, names)
    assert names["network"].predict(names["others"], verbose=0).shape == (24, 3)
    assert np.isfinite(names["history"].history["cdan"]).all()
