import dataclasses
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from photoz_morph.adaptation.losses import LOSSES, losses_of, make_loss
from photoz_morph.adaptation.mmd import ESTIMATORS
from photoz_morph.morph.config import AdaptationConfig, MorphConfig
from tests.support.gradients import slopes


def test_choices_of_the_config_are_the_rows_of_the_registry():
    """The config spells them out, so that reading one does not import Keras."""
    assert MorphConfig.CHOICES["adaptation.name"] == ("none", *LOSSES)
    assert MorphConfig.CHOICES["adaptation.estimator"] == tuple(ESTIMATORS)


@pytest.mark.parametrize("name", LOSSES)
def test_options_of_a_loss_are_settings_of_the_config(name):
    settings = {field.name for field in dataclasses.fields(AdaptationConfig)}
    (options,) = (options for term, _, options in losses_of(AdaptationConfig(name=name)) if term == name)
    assert set(options) <= settings - {"name", "weight"}
    make_loss(name, options)


def test_only_the_chosen_loss_has_a_weight_and_mmd_always_its_column():
    estimator = {"estimator": "paper"}
    for name, losses in {
        "none": [("mmd", 0.0, estimator)],
        "mmd": [("mmd", 0.4, estimator)],
        "consistency": [("mmd", 0.0, estimator), ("consistency", 0.4, {})],
    }.items():
        assert losses_of(AdaptationConfig(name=name, weight=0.4, estimator="paper")) == losses


def test_an_unknown_loss_is_named():
    with pytest.raises(ValueError, match="no adaptation loss 'wasserstein'; there are mmd, lmmd, consistency, coral"):
        make_loss("wasserstein", {})


def test_only_the_losses_with_weights_or_random_numbers_are_made_by_a_seed():
    own = {name for name in LOSSES if hasattr(make_loss(name, {}), "create")}
    assert own == {"dann", "cdan", "mdd", "fisher", "fixmatch", "noise"}
    assert {name for name, row in LOSSES.items() if row.view} == {"fixmatch", "noise"}


BOTH_LATENTS, BOTH_LOGITS = (("source latent", "target latent"), ("source logits", "target logits"))
SMALL = {"discriminator_width": 16, "discriminator_dropout": 0.0}
# Options, the outputs that the loss has a gradient to, and its sign. Sinkhorn, whose blur follows the batch, is tested
# at a fixed blur, and MMD with the estimator of fixed widths.
GRADIENTS = {
    "mmd": ({"estimator": "paper"}, BOTH_LATENTS, 1),
    "lmmd": ({"estimator": "paper"}, BOTH_LATENTS, 1),
    "consistency": ({}, BOTH_LOGITS, 1),
    "coral": ({}, BOTH_LATENTS, 1),
    "dann": (SMALL, BOTH_LATENTS, -1),
    "cdan": (SMALL, BOTH_LATENTS, -1),
    "mdd": (SMALL, BOTH_LATENTS, -1),
    "mcc": ({}, ("target logits",), 1),
    "entropy": ({}, BOTH_LOGITS, 1),
    "deepjdot": ({"jdot_distance": 0.1}, (*BOTH_LATENTS, "target logits"), 1),
    "fisher": ({}, ("source latent",), 1),
    "fixmatch": ({"threshold": 0.5}, ("target view_logits",), 1),
    "noise": ({}, ("source view_logits",), 1),
}


def outputs(n=8):
    """Outputs of a network for both domains, the target shifted, and labels."""
    rng = np.random.default_rng(3)
    sizes = {"latent": 5, "logits": 3, "view_logits": 3}
    parts = {
        domain: {key: (rng.normal(size=(n, size)) + shift).astype(np.float32) for key, size in sizes.items()}
        for shift, domain in enumerate(("source", "target"))
    }
    return parts, np.arange(n, dtype=np.int32) % 3


def made(name):
    loss = make_loss(name, GRADIENTS[name][0])
    if hasattr(loss, "create"):
        loss.create(5, 3, seed=1)
    opponent = getattr(loss, "discriminator", getattr(loss, "head", None))
    for dense in opponent.denses[:2] if opponent else []:
        dense.kernel.assign(20 * dense.kernel)  # fresh, it gives nearly 0
        dense.bias.assign(dense.bias + 4)  # far from the kink of the ReLU, where a difference is no slope
    if opponent:
        last = opponent.denses[-1].kernel
        last.assign(last - keras.ops.mean(last, axis=0))  # those biases would give it only sure answers, which are flat
    return loss


def test_every_loss_has_its_gradient_tested():
    assert {*GRADIENTS, "sinkhorn"} == set(LOSSES)


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradient_of_the_outputs_is_that_of_the_value_or_for_an_opponent_its_opposite(name):
    _, places, sign = GRADIENTS[name]
    loss, (parts, labels) = made(name), outputs()
    for place in places:
        domain, key = place.split()

        def value(values):
            changed = {**parts, domain: {**parts[domain], key: values}}
            return loss(changed["source"], changed["target"], labels)

        direction = np.random.default_rng(4).normal(size=parts[domain][key].shape) / 4
        by_gradient, by_difference = slopes(value, parts[domain][key], direction)
        assert abs(by_difference) > 1e-4, place
        assert by_gradient == pytest.approx(sign * by_difference, rel=0.02, abs=2e-4), place


@pytest.mark.parametrize("name", ["dann", "cdan", "mdd", "fisher"])
def test_gradient_of_the_own_weights_is_that_of_the_value(name):
    loss, (parts, labels) = made(name), outputs()
    for weight in loss.trainable_variables:
        direction = np.random.default_rng(5).normal(size=weight.shape) / 4
        slope, difference = slopes(lambda: loss(parts["source"], parts["target"], labels), weight, direction, step=3e-3)
        assert slope == pytest.approx(difference, rel=0.03, abs=1e-3), weight.path


GATHERED = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
from photoz_morph.adaptation.losses import LOSSES, AdaptationLoss
from photoz_morph.models.registry import build_classifier

def rows(source, target, labels):  # a thousand for each label, a hundred for each row of logits, one of latents
    n_labels, n_logits, n_latents = (keras.ops.shape(x)[0] for x in (labels, source["logits"], target["latent"]))
    total = keras.ops.cast(1000 * n_labels + 100 * n_logits + n_latents, "float32")
    return total + 0 * keras.ops.sum(source["latent"])

LOSSES["none"] = AdaptationLoss(lambda: rows)
LOSSES["latents"] = AdaptationLoss(lambda: rows, gathered=("latent",))
LOSSES["all"] = AdaptationLoss(lambda: rows, gathered=("latent", "logits", "labels"))
image = np.random.default_rng(2).normal(size=(8, 16, 16, 3)).astype(np.float32)
data = tf.data.Dataset.from_tensor_slices(({"source": image, "target": image}, np.arange(8) % 3)).batch(8)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    network = build_classifier("convnet", (16, 16, 3), width=2, n_latent=6)
    model = DomainAdaptedClassifier(network, [(name, 1.0, {}) for name in ("none", "latents", "all")])
    model.compile(keras.optimizers.Adam(1e-3))
logs = model.fit(data, verbose=0).history
print("none", logs["none"][0], "latents", logs["latents"][0], "all", logs["all"][0])
"""


def test_a_loss_sees_all_replicas_where_its_row_says_so():
    """A batch of 8 on two replicas: 4 rows of each, or 8 of what is gathered."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run([sys.executable, "-c", GATHERED], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr[-2000:]
    words = result.stdout.split()
    assert np.allclose([float(value) for value in words[1::2]], [4404, 4408, 8808])
