import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from photoz_morph.adaptation.losses import LOSSES, losses_of, make_loss
from photoz_morph.adaptation.mmd import ESTIMATORS
from photoz_morph.morph.config import AdaptationConfig, MorphConfig


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
    with pytest.raises(ValueError, match="no adaptation loss 'coral'; there are mmd, consistency"):
        make_loss("coral", {})


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
