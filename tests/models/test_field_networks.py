"""What holds for all networks for images of several sources."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from photoz_morph.models.detection.yolo_loss import YoloLoss, grid_targets
from photoz_morph.models.fields.gaussian_parameters import GaussianLikelihood
from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.models.loading import in_float32, load_network
from photoz_morph.models.pixel_losses import ArcsinhError, PixelCrossEntropy
from photoz_morph.models.registry import FIELD_NETWORKS, build_field_network, layer_precision
from tests.support.scenes import gaussian_field

REGIONS = dict(n_classes=2, width=4, depth=1, stride=2, sizes=(8,), ratios=(1.0,), n_hidden=8, box_size=3,
               n_candidates=16, n_proposals=6, anchor_sample=16, proposal_sample=8, max_detections=4)  # fmt: skip
SMALL = {
    "unet": dict(heads={"semantic": (3, "logits"), "light": (1, "image")}, width=4, depth=1, upsampling="unpooling"),
    "grid_detector": dict(n_classes=2, width=4, depth=1, stride=2),
    "faster_rcnn": REGIONS,
    "mask_rcnn": REGIONS | dict(mask_size=3, n_mask_maps=4),
    "probabilistic_unet": dict(width=4, depth=1, n_latent=2, sigma=0.5),
    "field_regressor": dict(width=4, depth=2, n_hidden=4, offset=0.1, deviation=0.5),
    "field_unet": dict(width=4, depth=1, offset=0.1, deviation=0.5),
}
UNSCALED = ("field_regressor", "field_unet")  # these have an offset and a deviation


def built(name, seed=1):
    scaling = ArcsinhScaling(softness=2.0)
    scaling.set_quantiles([0.0, 1.5])
    scaling = None if name in UNSCALED else scaling
    return build_field_network(name, (16, 16, 1), seed=seed, scaling=scaling, **SMALL[name])


def inputs(name, n=4):
    given = {"image": gaussian_field(n, side=16, n_sources=2)["image"]}
    if name == "probabilistic_unet":
        given["noise"] = np.random.default_rng(1).normal(size=(n, 2, 2)).astype(np.float32)
    return given


def flat(outputs):
    return {"/".join(map(str, path)): np.array(value) for path, value in keras.tree.flatten_with_path(outputs)}


@pytest.mark.parametrize("name", SMALL)
def test_seed_decides_the_weights(name):
    first, same, other = (built(name, seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    kernels = [index for index, weights in enumerate(first) if weights.ndim == 4]
    assert not any(np.array_equal(first[index], other[index]) for index in kernels)
    assert len({first[index].ravel()[0] for index in kernels}) == len(kernels)  # no two layers share a stream


@pytest.mark.parametrize("name", SMALL)
def test_saved_networks_give_the_same_numbers_in_float32_and_bfloat16(name, tmp_path):
    network = built(name)
    network.save(tmp_path / "network.keras")
    expected, restored = flat(network(inputs(name))), flat(load_network(tmp_path / "network.keras")(inputs(name)))
    for key, values in expected.items():
        np.testing.assert_array_equal(restored[key], values)
    with layer_precision("mixed_bfloat16"):
        mixed = built(name)
    assert {values.dtype for values in flat(mixed(inputs(name))).values()} <= {
        np.dtype(kind) for kind in ("float32", "int32", "bool")
    }
    exact = flat(in_float32(mixed)(inputs(name)))
    for key, values in expected.items():
        np.testing.assert_allclose(exact[key], values, atol=1e-5)


def test_what_a_network_cannot_do_is_named():
    assert set(SMALL) == set(FIELD_NETWORKS)
    with pytest.raises(ValueError, match="model.name is 'detr'; there are unet, grid_detector, faster_rcnn, mask_rcnn"):
        build_field_network("detr")
    with pytest.raises(ValueError, match="model.mask_size: faster_rcnn has no such option; it has .*, min_score, term"):
        build_field_network("faster_rcnn", mask_size=7)
    options = REGIONS | {"max_iou": 0.4, "box_size": None}
    network = build_field_network("faster_rcnn", (16, 16, 1), **options)
    assert network.max_iou == 0.4 and network.box_pool.size == 7


def run_script(script, *arguments, **environment):
    """Printed `name value` lines of a script in a process of its own."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr[-2000:]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in result.stdout.splitlines())}


TWO_REPLICAS = """
import sys
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from tests.models.test_field_networks import built, inputs
from tests.support.scenes import gaussian_field

field = gaussian_field(8, side=16, n_sources=2)
truths = {"mask_rcnn": {key: field[key] for key in ("boxes", "classes", "sources")},
          "probabilistic_unet": field["each"][:, 0, :, :, None]}
devices = ["CPU:0", "CPU:1"]
# One strategy for all: those of one process number their collective operations alike, and these would be confused.
mirrored = tf.distribute.MirroredStrategy(devices)
for name in sys.argv[1:]:
    truth = truths[name]
    data = tf.data.Dataset.from_tensor_slices((inputs(name, 8), truth)).batch(4, drop_remainder=True)
    weights, logs = [], []
    for strategy in (tf.distribute.get_strategy(), mirrored):
        with strategy.scope():
            model = built(name)
            # Biases before batch norm have no gradient; a small epsilon would make steps of its rounding errors.
            several = strategy.num_replicas_in_sync > 1
            model.compile(keras.optimizers.Adam(1e-3, epsilon=1e-3), run_eagerly=not several)
            model.optimizer.build(model.trainable_variables)  # otherwise the step is traced twice
        start = [np.array(weight) for weight in model.trainable_variables]
        logs.append(model.fit(data, epochs=2, shuffle=False, verbose=0).history)
        weights.append(model.get_weights())
    print(name, "replicas", strategy.num_replicas_in_sync)
    print(name, "moved", max(np.abs(a - b).max() for a, b in zip(start, model.trainable_variables)))
    print(name, "weights", max(np.abs(a - b).max() / max(1, np.abs(a).max()) for a, b in zip(*weights)))
    for term, values in logs[0].items():
        print(name, "term", term, np.abs(np.subtract(values, logs[1][term])).max() / max(1, np.abs(values).max()))
"""


def test_two_replicas_take_the_step_of_one():
    printed = run_script(TWO_REPLICAS, "mask_rcnn", "probabilistic_unet")
    for name in ("mask_rcnn", "probabilistic_unet"):
        assert printed[f"{name} replicas"] == 2 and printed[f"{name} moved"] > 1e-3
        # Float32 rounding through four steps, of weights and of batch-norm moments.
        assert printed[f"{name} weights"] < 2e-5, printed
        terms = [value for key, value in printed.items() if key.startswith(f"{name} term ")]
        assert len(terms) == {"mask_rcnn": 6, "probabilistic_unet": 3}[name] and max(terms) < 1e-4, printed


JAX = """
import sys
import keras, numpy as np
from photoz_morph.models.loading import load_network
from tests.models.test_field_networks import SMALL, built, flat, inputs, truth_of

assert keras.backend.backend() == "jax"
for name in SMALL:
    network = built(name)
    saved = np.load(f"{sys.argv[1]}/{name}.npz")
    network.set_weights([saved[f"arr_{index}"] for index in range(len(network.weights))])
    network.save(f"{sys.argv[1]}/network.keras")
    network = load_network(f"{sys.argv[1]}/network.keras")
    np.savez(f"{sys.argv[1]}/{name}_jax.npz", **flat(network(inputs(name))))
    losses, truth = truth_of(name)
    network.compile(keras.optimizers.SGD(1e-3), losses)
    history = network.fit(inputs(name), truth, batch_size=4, epochs=3, shuffle=False, verbose=0).history
    print(name, "first", history["loss"][0])
    print(name, "last", history["loss"][-1])
"""


def truth_of(name, n=4):
    """Losses, of the networks that have none of their own, and true outputs for `inputs`."""
    field = gaussian_field(n, side=16, n_sources=2)
    if name == "unet":
        losses = {"semantic": PixelCrossEntropy(), "light": ArcsinhError(0.5)}
        return losses, {"semantic": field["sources"], "light": field["each"].sum(axis=1)[..., None]}
    if name == "grid_detector":
        return YoloLoss(stride=2), np.array(grid_targets(field["boxes"], field["classes"], (16, 16), 2))
    if name == "probabilistic_unet":
        return None, field["each"][:, 0, :, :, None]
    if name == "field_regressor":
        return {"parameters": GaussianLikelihood()}, {"parameters": np.array([[0.2, 0.9], [0.4, 0.7]] * (n // 2))}
    if name == "field_unet":
        return {"field": keras.losses.MeanSquaredError()}, {"field": field["each"].sum(axis=1)[..., None]}
    return None, {key: field[key] for key in ("boxes", "classes", "sources")}


def test_networks_compute_and_train_in_jax_as_in_tensorflow(tmp_path):
    """Saved and loaded there, networks of the same weights have the same outputs and loss of the first step."""
    pytest.importorskip("jax")
    losses = {}
    for name in SMALL:
        network = built(name)
        np.savez(tmp_path / f"{name}.npz", *network.get_weights())
        loss, truth = truth_of(name)
        network.compile(keras.optimizers.SGD(0.0), loss, run_eagerly=True)
        losses[name] = network.train_on_batch(inputs(name), truth, return_dict=True)["loss"]
    printed = run_script(JAX, tmp_path, KERAS_BACKEND="jax")
    for name in SMALL:
        found, expected = np.load(tmp_path / f"{name}_jax.npz"), flat(built(name)(inputs(name)))
        assert set(found) == set(expected)
        for key, values in expected.items():
            np.testing.assert_allclose(found[key], values, atol=1e-4, err_msg=f"{name} {key}")
        assert printed[f"{name} first"] == pytest.approx(losses[name], rel=1e-4)
        assert printed[f"{name} last"] < printed[f"{name} first"]
