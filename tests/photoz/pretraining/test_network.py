import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.models.inception_photoz import inception_photoz
from photoz_morph.photoz.config import PretrainConfig
from photoz_morph.photoz.pretraining.losses import TERMS
from photoz_morph.photoz.pretraining.network import triple_loss_network
from tests.support.paths import ROOT

TWO_REPLICAS = """
import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from photoz_morph.models.inception_photoz import inception_photoz
from photoz_morph.photoz.config import PretrainConfig
from photoz_morph.photoz.pretraining.network import triple_loss_network
from photoz_morph.training.fit import choose_strategy

rng = np.random.default_rng(1)
views = [{"image": rng.normal(size=(8, 64, 64, 5)).astype("f"), "ebv": np.zeros(8, "f")} for _ in range(2)]
redshift = np.full((8, 5), np.nan, "f")
redshift[:2] = np.eye(5)[:2]  # the second replica has no redshift
colours = rng.normal(size=(8, 4)).astype("f")
colours[5] = np.nan
data = dict(zip(("first", "second"), views)), {"redshift": redshift, "colours": colours}
options = tf.data.Options()
options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
batches = tf.data.Dataset.from_tensor_slices(data).batch(8).with_options(options)
weights, losses = [], []
for name in ("none", "mirrored"):
    with choose_strategy(name).scope():
        network = inception_photoz(
            crop=16, conv1_filters=2, blocks=((2, 2),), pool_after=(), dense_units=4, n_bins=5, batch_norm=True
        )
        model = triple_loss_network(network, 4, PretrainConfig(), seed=3)
        model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    losses.append(model.fit(batches, verbose=0).history)
    weights.append([np.array(weight) for weight in model.trainable_variables])
print(max(abs(one - other).max() for one, other in zip(*weights)) < 5e-5)
print(all(abs(losses[0][term][0] - losses[1][term][0]) < 1e-4 for term in ("contrast", "colours", "redshift")))
"""


def test_two_replicas_take_the_step_of_one_whichever_has_the_redshifts():
    result = subprocess.run([sys.executable, "-c", TWO_REPLICAS], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.split() == ["True", "True"], result.stderr[-2000:]


@pytest.mark.parametrize(
    "left_out, head", [("redshift", "redshift_pdf"), ("contrast", "projection"), ("colours", "colours")]
)
def test_a_term_of_weight_zero_trains_no_head(left_out, head):
    rng = np.random.default_rng(1)
    views = [{"image": rng.normal(size=(8, 64, 64, 5)).astype("f"), "ebv": np.zeros(8, "f")} for _ in range(2)]
    targets = {"redshift": np.eye(5, dtype="f")[[0, 1] * 4], "colours": rng.normal(size=(8, 4)).astype("f")}
    network = inception_photoz(crop=16, conv1_filters=2, blocks=((2, 2),), pool_after=(), dense_units=4, n_bins=5)
    model = triple_loss_network(network, 4, PretrainConfig(**{left_out: 0.0}), seed=3)
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    kernels = {name: variable for variable in model.trainable_variables for name, *rest in [variable.path.split("/")]
               if rest == ["kernel"]}  # fmt: skip
    before = {name: np.array(kernel) for name, kernel in kernels.items()}
    batches = tf.data.Dataset.from_tensor_slices((dict(zip(("first", "second"), views)), targets)).batch(8)
    history = model.fit(batches, verbose=0, shuffle=False).history
    assert history.keys() == {"loss", *TERMS} - {left_out}
    stays = {name for name, kernel in kernels.items() if np.array_equal(kernel, before[name])}
    assert stays == {head} | ({"hidden"} if head == "projection" else set())
