import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
from photoz_morph.adaptation.consistency import probability_divergence
from photoz_morph.adaptation.losses import LOSSES, AdaptationLoss
from photoz_morph.adaptation.mmd import median_mmd
from photoz_morph.models.layers.defences import defended
from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier
from photoz_morph.training.auxiliary import KnownTargetsLoss, with_auxiliary_head
from photoz_morph.training.dropout import reset_dropout

SHAPE = (16, 16, 3)


def galaxies(n=32, seed=5):
    """Three classes told apart by colour; the target is the source with an offset and noise, in another order."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    source = rng.normal(size=(n, *SHAPE)) * 0.3 + np.eye(3)[labels][:, None, None]
    target = source[rng.permutation(n)] * 0.5 + 0.7 + rng.normal(size=source.shape)
    return {"source": source.astype(np.float32), "target": target.astype(np.float32)}, labels.astype(np.int32)


def adapted(optimizer=None, dropout=0.0, **options):
    network = build_classifier("convnet", SHAPE, seed=1, width=2, n_latent=6, dropout=dropout)
    model = DomainAdaptedClassifier(network, **options)
    model.compile(optimizer or keras.optimizers.Adam(1e-3))
    return model


def with_mmd(weight):
    return [("mmd", weight, {"estimator": "median"})]


def one_step(model, images, labels):
    return model.train_on_batch(images, labels, return_dict=True)


def test_loss_is_source_cross_entropy_plus_weighted_mmd_plus_weight_decay():
    images, labels = galaxies()
    weights = np.array([0.5, 1.0, 2.0])
    model = adapted(losses=with_mmd(0.3), class_weights=weights, l2=0.01)
    penalty = 0.005 * sum(np.sum(np.square(w)) for w in model.trainable_variables)
    both = {"image": np.concatenate([images["source"], images["target"]])}
    outputs = model.classifier(both, training=True)
    logits, latent = np.asarray(outputs["logits"], np.float64)[:32], outputs["latent"]
    log_probability = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    cross_entropy = -np.mean(weights[labels] * log_probability[np.arange(32), labels])
    mmd = float(median_mmd(latent[:32], latent[32:]))
    logs = one_step(model, images, labels)
    assert logs["cross_entropy"] == pytest.approx(cross_entropy, rel=1e-5)
    assert logs["mmd"] == pytest.approx(mmd, abs=1e-6)
    assert logs["loss"] == pytest.approx(cross_entropy + 0.3 * mmd + penalty, rel=1e-5)
    assert logs["accuracy"] == np.mean(logits.argmax(axis=1) == labels)


def test_regular_arm_differs_by_the_mmd_alone():
    """Batch-norm statistics mix both domains in both arms, and cross-entropy starts equal."""
    images, labels = galaxies()
    regular, together = (adapted(keras.optimizers.SGD(0.0), losses=with_mmd(weight)) for weight in (0.0, 0.05))
    logs = [one_step(model, images, labels) for model in (regular, together)]
    assert logs[0]["loss"] == logs[0]["cross_entropy"] == logs[1]["cross_entropy"] < logs[1]["loss"]
    assert np.isnan(logs[0]["mmd"])
    for a, b in zip(regular.get_weights(), together.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    maps = keras.Model(regular.classifier.input, regular.classifier.get_layer("conv1").output)
    mean = np.mean(maps({"image": np.concatenate([images["source"], images["target"]])}), axis=(0, 1, 2))
    moving = regular.classifier.get_layer("bn1").moving_mean
    np.testing.assert_allclose(moving, 0.1 * mean, atol=1e-5)


def test_weights_of_the_losses_warm_up_and_rise():
    model = adapted(warmup_iterations=10, ramp_iterations=20)
    assert [float(model.ramp_at(i)) for i in (0, 10, 15, 30, 99)] == pytest.approx([0, 0, 0.25, 1, 1])
    model = adapted(warmup_iterations=10)
    assert [float(model.ramp_at(i)) for i in (0, 9, 10)] == [0, 0, 1]


def test_training_brings_the_domains_together_only_with_mmd():
    images, labels = galaxies(96)
    distances = []
    for weight in (0.0, 1.0):
        model = adapted(keras.optimizers.Adam(1e-2), losses=with_mmd(weight))
        history = model.fit(images, labels, batch_size=32, epochs=25, verbose=0).history
        outputs = [model({"image": images[domain]}) for domain in ("source", "target")]
        distances.append(float(median_mmd(*(output["latent"] for output in outputs))))
        assert history["cross_entropy"][-1] < 0.6 * history["cross_entropy"][0]
    assert distances[1] < 0.5 * distances[0]


def test_coupled_weight_decay_pulls_on_every_weight():
    images, labels = galaxies()
    free, decayed = (adapted(keras.optimizers.SGD(1.0), l2=l2) for l2 in (0.0, 0.1))
    start = [np.array(weight) for weight in free.trainable_variables]
    for model in (free, decayed):
        one_step(model, images, labels)
    for before, a, b in zip(start, free.trainable_variables, decayed.trainable_variables, strict=True):
        np.testing.assert_allclose(np.asarray(a) - np.asarray(b), 0.1 * before, atol=1e-5)


def test_decoupled_weight_decay_leaves_biases_and_batch_norm():
    images, labels = galaxies()
    model = adapted(keras.optimizers.AdamW(1e-3, weight_decay=500.0))
    start = [np.array(weight) for weight in model.trainable_variables]
    one_step(model, images, labels)
    for before, weight in zip(start, model.trainable_variables, strict=True):
        left = before / 2 if weight.name == "kernel" else before  # 1 - 500 x 1e-3 is a half
        np.testing.assert_allclose(weight, left, atol=1.1e-3)  # a step of Adam is at most its learning rate


# Losses with weights or random numbers of their own.
SMALL = {"discriminator_width": 8}
OWN = [("dann", 0.1, SMALL), ("cdan", 0.1, SMALL), ("mdd", 0.1, SMALL), ("fisher", 0.01, {}),
       ("fixmatch", 0.5, {"threshold": 0.3, "view_shift": 1}), ("noise", 0.5, {})]  # fmt: skip


@pytest.mark.parametrize("own", [False, True])
def test_a_resumed_training_ends_with_the_weights_of_an_undisturbed_one(own, tmp_path):
    """Three epochs against one, a checkpoint, and two more; AdamW, dropout and a ramp have state that must survive,
    and the weights and random numbers of losses that have them."""
    images, labels = galaxies()
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, 12)
    ramp = dict(warmup_iterations=2, ramp_iterations=6)
    options = dict(dropout=0.5, losses=with_mmd(0.5), class_weights=(0.8, 1.4, 1.0), **ramp)
    options |= dict(losses=[*with_mmd(0.0), *OWN], weighting="learned", seed=3) if own else {}

    def run(model, epochs):
        for epoch in epochs:
            reset_dropout(model, seed=7, epoch=epoch)
            model.fit(images, labels, batch_size=8, shuffle=False, verbose=0)
        return model

    def fresh():
        return adapted(keras.optimizers.AdamW(schedule, weight_decay=0.5), **options)

    whole = run(fresh(), range(3))
    run(fresh(), range(1)).save(tmp_path / "checkpoint.keras")
    resumed = load_network(tmp_path / "checkpoint.keras", compile=True)
    assert int(resumed.optimizer.iterations) == 4
    run(resumed, range(1, 3))
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    start = fresh()
    n_own = len(whole.trainable_variables) - len(whole.classifier.trainable_variables)
    assert n_own == (3 * 6 + 1 + 1 if own else 0)  # three discriminators, centres, etas
    for before, after in zip(start.loss_layers, whole.loss_layers, strict=True):
        changed = zip(before.trainable_variables, after.trainable_variables)
        assert all(np.any(np.array(a) != np.array(b)) for a, b in changed)
    assert not own or np.all(np.array(whole.etas) != 1)
    assert len(whole.classifier.weights) == len(adapted().classifier.weights)  # what is kept for use has none of these


def test_weights_of_the_losses_follow_from_the_seed_and_their_name_alone():
    def weights(losses, seed):
        layers = adapted(losses=losses, seed=seed).loss_layers
        return {layer.name.rstrip("_0123456789"): layer.get_weights() for layer in layers}

    both, alone, other = weights(OWN[:2], 1), weights(OWN[1:2], 1), weights(OWN[1:2], 2)
    for a, b, c in zip(both["cdan_loss"], alone["cdan_loss"], other["cdan_loss"], strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.any(a) or not np.array_equal(a, c)
    assert adapted(losses=[("dann", 0.0, SMALL)]).loss_layers == []


def test_learned_weights_leave_the_warm_up_to_the_cross_entropy_and_keep_their_bounds():
    images, labels = galaxies()
    options = dict(losses=with_mmd(2.0), weighting="learned", warmup_iterations=1)
    model = adapted(keras.optimizers.SGD(100.0), **options)
    logs = one_step(model, images, labels)
    assert logs["loss"] == logs["cross_entropy"] and np.array_equal(model.etas, [1, 1])
    model = adapted(keras.optimizers.SGD(100.0), losses=with_mmd(2.0), weighting="learned", l2=0.1)
    model.etas.assign([0.5, 2.0])
    decay = 0.05 * sum(np.sum(np.square(w)) for w in model.classifier.trainable_variables)
    logs = one_step(model, images, labels)
    expected = logs["cross_entropy"] / (2 * 0.5**2) + 2 * logs["mmd"] / (2 * 2.0**2) + np.log(0.5 * 2.0)
    assert logs["loss"] == pytest.approx(expected + decay, rel=1e-5)
    first, second = np.asarray(model.etas)
    assert first > 100 and second == pytest.approx(0.25 * first)  # a step of SGD alone leaves it far below


def test_a_view_passes_through_the_network_beside_source_and_target():
    images, labels = galaxies()
    for batch_norm in ("both", "source"):
        model = adapted(losses=[("noise", 1.0, {})], batch_norm=batch_norm)
        again = adapted(losses=[("noise", 1.0, {})])
        view = np.asarray(again.loss_layers[0].view(images["source"], images["target"], (0, 32, 32)))
        logs = one_step(model, images, labels)
        network = adapted().classifier
        if batch_norm == "both":
            joined = {"image": np.concatenate([images["source"], images["target"], view])}
            logits = np.asarray(network(joined, training=True)["logits"])
        else:
            network({"image": images["source"]}, training=True)  # the moving averages have moved by then
            logits = np.concatenate([np.zeros((64, 3)), network({"image": view}, training=False)["logits"]])
        expected = keras.losses.sparse_categorical_crossentropy(labels, logits[64:], from_logits=True)
        assert logs["noise"] == pytest.approx(float(np.mean(expected)), rel=1e-4)


def test_an_unnamed_latent_layer_and_a_wrong_choice_are_refused():
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="does not take 'image' and return 'latent' and 'logits'; wrap it with"):
        DomainAdaptedClassifier(network)
    with pytest.raises(ValueError, match="weighting is 'free', must be one of fixed, learned"):
        adapted(weighting="free")


def test_each_domain_is_scaled_by_its_own_quantiles_in_training():
    images, labels = galaxies()
    scaling = ArcsinhScaling(n_domains=2)
    scaling.set_quantiles([[0.0, 1.0], [0.0, 4.0]])
    own = build_classifier("convnet", SHAPE, seed=1, width=2, n_latent=6, scaling=scaling)
    plain = build_classifier("convnet", SHAPE, seed=1, width=2, n_latent=6)
    scaled = {name: np.arcsinh(0.85 * images[name] / q) for name, q in (("source", 1), ("target", 4))}
    losses = []
    for network, batch in ((own, images), (plain, scaled)):
        model = DomainAdaptedClassifier(network, with_mmd(1.0))
        model.compile(keras.optimizers.Adam(1e-3))
        losses.append(float(model.losses((batch, labels))[0]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def pairs(n=48, seed=5):
    """Three classes told apart by colour, and the same images fainter and with noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    source = rng.normal(size=(n, 16, 16, 3)) * 0.3 + np.eye(3)[labels][:, None, None]
    target = 0.4 * source + rng.normal(size=source.shape)
    return {"source": source.astype(np.float32), "target": target.astype(np.float32)}, labels.astype(np.int32)


def wrapped(weight, **options):
    network = build_classifier("convnet", (16, 16, 3), seed=1, width=2, n_latent=6, dropout=0.0)
    head = network.get_layer("logits")
    head.kernel.assign(100 * head.kernel)  # fresh, it gives each class a third
    model = DomainAdaptedClassifier(network, [*with_mmd(0.0), ("consistency", weight, {})], **options)
    model.compile(keras.optimizers.Adam(1e-2))
    return model


@pytest.mark.parametrize("batch_norm", ["both", "source"])
def test_loss_is_cross_entropy_plus_weighted_divergence_of_the_pairs(batch_norm):
    images, labels = pairs()
    model = wrapped(0.7, ramp_iterations=4, batch_norm=batch_norm)
    model.optimizer.iterations.assign(1)  # a quarter of the ramp
    both = {"image": np.concatenate([images["source"], images["target"]])}
    loss, (_, cross_entropy, mmd, consistency, *_) = model.losses((images, labels))
    # Afterwards: the moving averages, with which "source" compares, have moved by then.
    outputs = np.asarray(model.classifier(both, training=batch_norm == "both")["logits"])
    assert float(consistency) == pytest.approx(np.mean(probability_divergence(outputs[:48], outputs[48:])), rel=1e-4)
    assert float(loss) == pytest.approx(float(cross_entropy) + 0.7 / 4 * float(consistency), rel=1e-6)
    assert np.isnan(mmd)


def test_training_makes_the_depths_agree_only_with_consistency():
    images, labels = pairs()
    divergences = []
    for weight in (0.0, 1.0):
        model = wrapped(weight)
        model.fit(images, labels, batch_size=24, epochs=20, verbose=0)
        logits = [model({"image": images[domain]})["logits"] for domain in ("source", "target")]
        divergences.append(np.mean(probability_divergence(*logits)))
    assert divergences[1] < 0.3 * divergences[0]


def test_a_class_conditional_loss_gets_the_labels_of_the_source(monkeypatch):
    """A loss of one row: latents of source and target must have the same mean over the galaxies of class 0."""
    def make(power=2):
        def loss(source, target, labels):
            chosen = keras.ops.cast(labels == 0, "float32")[:, None]
            return keras.ops.mean(keras.ops.abs(chosen * (source["latent"] - target["latent"])) ** power)

        return loss

    monkeypatch.setitem(LOSSES, "toy", AdaptationLoss(make))
    images, labels = galaxies()
    model = adapted(losses=[("toy", 2.0, {"power": 1})])
    outputs = model.classifier({"image": np.concatenate([images["source"], images["target"]])}, training=True)
    latent = np.asarray(outputs["latent"], float)
    expected = np.abs(latent[:32] - latent[32:])[labels == 0].sum() / latent[:32].size
    logs = one_step(model, images, labels)
    assert logs["toy"] == pytest.approx(expected, rel=1e-5)
    assert logs["loss"] == pytest.approx(logs["cross_entropy"] + 2 * expected, rel=1e-5)


EARLIER = {"mmd_weight": 0.3, "estimator": "paper", "warmup_iterations": 3, "ramp_iterations": 4, "l2": 0.5,
           "class_weights": (1.0, 2.0, 3.0), "batch_norm": "source", "name": "domain_adapted_classifier"}  # fmt: skip


@pytest.mark.parametrize(
    ("weights", "losses"),
    [
        ({}, [("mmd", 0.3, {"estimator": "paper"})]),
        ({"consistency_weight": 0.0}, [("mmd", 0.3, {"estimator": "paper"})]),
        (
            {"mmd_weight": 0.0, "consistency_weight": 0.7},
            [("mmd", 0.0, {"estimator": "paper"}), ("consistency", 0.7, {})],
        ),
    ],
)
def test_configs_of_earlier_versions_load_with_their_losses_and_columns(weights, losses):
    """As saved before consistency, after it without a weight, and with one."""
    classifier = adapted().get_config()["classifier"]
    model = DomainAdaptedClassifier.from_config({"classifier": classifier, **EARLIER, **weights})
    again = DomainAdaptedClassifier.from_config(model.get_config())
    for restored in (model, again):
        assert list(restored.terms) == losses
        names = ["loss", "cross_entropy", *(name for name, _, _ in losses), "accuracy"]
        assert [metric.name for metric in restored.metrics] == names
        settings = {name: getattr(restored, name) for name in EARLIER if name not in ("mmd_weight", "estimator")}
        assert settings == {name: EARLIER[name] for name in settings}


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
from photoz_morph.models.layers.domain_batch_norm import with_domain_batch_norm
from photoz_morph.models.registry import build_classifier
from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier

rng = np.random.default_rng(2)
source = rng.normal(size=(32, 16, 16, 3)).astype(np.float32)
images = {"source": source, "target": 0.5 * source[::-1] + 1}
data = tf.data.Dataset.from_tensor_slices((images, rng.integers(0, 3, 32))).batch(16, drop_remainder=True)
weights, logs = [], []
for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    with strategy.scope():
        network = build_classifier("convnet", (16, 16, 3), seed=1, width=2, n_latent=6)
        losses = [("mmd", 1.0, {}), ("consistency", 0.5, {})]
        if sys.argv[1] == "all":  # with dropout in the discriminators, and random views
            own = {"discriminator_width": 8}
            losses = [(name, 0.1, {}) for name in ("coral", "mcc", "entropy", "sinkhorn", "deepjdot", "noise")]
            losses += [(name, 0.1, own) for name in ("dann", "cdan", "mdd")]
            losses += [("fisher", 0.01, {}), ("fixmatch", 0.5, {"threshold": 0.3}), ("lmmd", 0.1, {"n_groups": 2})]
            network = with_domain_batch_norm(network)
        options = dict(ramp_iterations=2, class_weights=(0.5, 1.0, 2.0), l2=1e-2)
        options |= {"weighting": "learned"} if sys.argv[1] == "all" else {}
        model = DomainAdaptedClassifier(network, losses, **options)
        # Biases before batch norm have no gradient; with a smaller epsilon Adam makes steps of its rounding errors.
        model.compile(keras.optimizers.Adam(1e-3, epsilon=1e-3))
    start = [np.array(weight) for weight in model.trainable_variables]
    logs.append(model.fit(data, epochs=2, shuffle=False, verbose=0).history)
    weights.append(model.get_weights())
    print("replicas", strategy.num_replicas_in_sync)
print("moved", max(np.abs(a - b).max() for a, b in zip(start, model.trainable_variables)))
print("weights", max(np.abs(a - b).max() for a, b in zip(*weights)))
for term, values in logs[0].items():
    print("term", term, np.abs(np.subtract(values, logs[1][term])).max() / max(1, np.abs(values).max()))
"""


@pytest.mark.parametrize("losses", ["paired", "all"])
def test_two_replicas_take_the_step_of_one(losses):
    printed = run_script(TWO_REPLICAS, losses)
    assert printed["replicas"] == 2 and printed["moved"] > 1e-3
    # Float32 rounding through four steps, of weights and of batch-norm moments.
    assert printed["weights"] < {"paired": 2e-6, "all": 2e-5}[losses]
    terms = {name: value for name, value in printed.items() if name.startswith("term ")}
    assert len(terms) == {"paired": 5, "all": 15}[losses] and max(terms.values()) < 1e-5, terms


JAX = """
import json, sys
import keras, numpy as np
from photoz_morph.models.layers.domain_batch_norm import with_domain_batch_norm
from photoz_morph.models.registry import build_classifier
from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
from photoz_morph.models.layers.defences import defended

saved = np.load(sys.argv[1])
images, labels = {"source": saved["source"], "target": saved["target"]}, saved["labels"]
network = build_classifier("convnet", images["source"].shape[1:], seed=1, width=2, n_latent=6)
losses, options = json.loads(sys.argv[2])
model = DomainAdaptedClassifier(network, losses, **options)
model.set_weights([saved[f"weight_{index}"] for index in range(len(model.weights))])
for name in ("d4", "median"):
    print(name, float(np.sum(defended(network, name)({"image": images["source"]})["latent"])))
model.compile(keras.optimizers.AdamW(1e-2, weight_decay=0.1))
history = model.fit(images, labels, batch_size=32, epochs=2, shuffle=False, verbose=0).history  # of one step each
for term, values in history.items():
    print(0, term, values[0])
    print(1, term, values[1])
print("variance", float(np.sum(network.get_layer("bn1").moving_variance)))
print("last", model.fit(images, labels, batch_size=32, epochs=20, verbose=0).history["cross_entropy"][-1])
views = [("fixmatch", 0.5, {"threshold": 0.3, "view_shift": 1}), ("noise", 0.5, {}), ("dann", 0.1, {})]
network = with_domain_batch_norm(build_classifier("convnet", images["source"].shape[1:], seed=1, width=2, n_latent=6))
model = DomainAdaptedClassifier(network, views)
model.compile(keras.optimizers.Adam(1e-2))
values = model.fit(images, labels, batch_size=32, epochs=20, verbose=0).history["cross_entropy"]
print("views", values[-1] / values[0])
assert keras.backend.backend() == "jax"
"""


def test_jax_takes_the_steps_of_tensorflow(tmp_path):
    """Two steps: the second has the gradients of the first, the ramp and the moments of batch norm in it."""
    pytest.importorskip("jax")
    images, labels = galaxies()
    losses = [*with_mmd(0.5), ("consistency", 2.0, {}), ("fisher", 0.001, {})]
    losses += [(name, 0.1, {}) for name in ("lmmd", "coral", "mcc", "entropy", "sinkhorn", "deepjdot")]
    losses += [(name, 0.1, {**SMALL, "discriminator_dropout": 0.0}) for name in ("dann", "cdan", "mdd")]
    options = dict(ramp_iterations=2, class_weights=(0.5, 1, 2), l2=0.01)
    model = adapted(keras.optimizers.AdamW(1e-2, weight_decay=0.1), losses=losses, **options)
    weights = {f"weight_{index}": weight for index, weight in enumerate(model.get_weights())}
    np.savez(tmp_path / "batch.npz", labels=labels, **images, **weights)
    printed = run_script(JAX, tmp_path / "batch.npz", json.dumps([losses, options]), KERAS_BACKEND="jax")
    for name in ("d4", "median"):
        latent = defended(model.classifier, name)({"image": images["source"]})["latent"]
        assert printed[name] == pytest.approx(float(np.sum(latent)), abs=1e-4)
    for step in range(2):
        for term, value in one_step(model, images, labels).items():
            assert printed[f"{step} {term}"] == pytest.approx(value, rel=1e-5, abs=1e-5), (step, term)
    variance = float(np.sum(model.classifier.get_layer("bn1").moving_variance))
    assert printed["variance"] == pytest.approx(variance, rel=1e-5)
    # Of the sum, the opponents' terms grow while they are deceived.
    assert printed["last"] < 0.8 * printed["0 cross_entropy"] and printed["views"] < 0.8


def test_labels_may_be_distributions_and_the_network_have_more_inputs_than_an_image(tmp_path):
    """Loss of the labels and MMD by hand; the optimizer decays biases, too; all of it survives a checkpoint."""
    image, ebv = keras.Input((4,), name="image"), keras.Input((1,), name="ebv")
    latent = keras.layers.Dense(5, "tanh", name="latent")(keras.layers.Concatenate()([image, ebv]))
    outputs = {"logits": keras.layers.Dense(6, name="logits")(latent), "latent": latent}
    network = keras.Model({"image": image, "ebv": ebv}, outputs)
    rng = np.random.default_rng(3)
    halves = {
        domain: {"image": rng.normal(size=(8, 4)).astype("float32"), "ebv": rng.random((8, 1)).astype("float32")}
        for domain in ("source", "target")
    }
    labels = rng.dirichlet(np.ones(6), 8).astype("float32")
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, name="pdf_loss")
    model = DomainAdaptedClassifier(network, with_mmd(0.5), label_loss=loss, decay_all=True)
    model.compile(keras.optimizers.AdamW(1e-3, weight_decay=500.0))
    before = [np.array(weight) for weight in model.trainable_variables]
    each = {domain: network(half) for domain, half in halves.items()}
    logits = np.asarray(each["source"]["logits"], float)
    expected = -np.mean(np.sum(labels * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))), axis=1))
    mmd = float(median_mmd(each["source"]["latent"], each["target"]["latent"]))
    logs = one_step(model, halves, labels)
    assert set(logs) == {"loss", "pdf_loss", "mmd"}
    assert logs["pdf_loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["loss"] == pytest.approx(expected + 0.5 * mmd, rel=1e-5)
    for start, weight in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_allclose(weight, start / 2, atol=1.1e-3)  # 1 - 500 x 1e-3 is a half
    model.save(tmp_path / "checkpoint.keras")
    loaded = load_network(tmp_path / "checkpoint.keras", compile=True)
    assert one_step(model, halves, labels) == one_step(loaded, halves, labels)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="class_weights are of classes, but labels of a label_loss are distributions"):
        DomainAdaptedClassifier(network, label_loss=loss, class_weights=[1] * 6)


def test_a_second_head_learns_its_targets_from_the_source_alone(tmp_path):
    """Its loss by hand, beside MMD; all of it survives a checkpoint."""
    network = build_classifier("convnet", SHAPE, seed=1, width=2, n_latent=6, dropout=0.0)
    network = with_auxiliary_head(network, 2, seed=2)
    model = DomainAdaptedClassifier(network, with_mmd(0.5), auxiliary_loss=KnownTargetsLoss(), auxiliary_weight=0.7)
    model.compile(keras.optimizers.Adam(1e-3))
    images, label = galaxies()
    known = np.random.default_rng(3).normal(size=(32, 2)).astype("float32")
    known[::4, 0] = np.nan
    both = {"image": np.concatenate([images["source"], images["target"]])}
    found = np.asarray(network(both, training=True)["auxiliary"], float)[:32]
    error = np.abs(found - known)
    each = np.nanmean(np.where(error < 1, error**2 / 2, error - 0.5), axis=1)
    labels = {"label": label, "auxiliary": known}
    logs = one_step(model, images, labels)
    assert logs["auxiliary"] == pytest.approx(each.mean(), rel=1e-4)
    assert logs["loss"] == pytest.approx(logs["cross_entropy"] + 0.5 * logs["mmd"] + 0.7 * each.mean(), rel=1e-4)
    model.save(tmp_path / "checkpoint.keras")
    loaded = load_network(tmp_path / "checkpoint.keras", compile=True)
    assert one_step(model, images, labels) == one_step(loaded, images, labels)
    with pytest.raises(ValueError, match="there is an auxiliary_loss, but the classifier has no output 'auxiliary'"):
        adapted(auxiliary_loss=KnownTargetsLoss())
