import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
from photoz_morph.adaptation.mmd import PAPER_VARIANCES, maximum_mean_discrepancy, median_mmd, paper_mmd
from photoz_morph.models.layers.defences import defended
from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.models.loading import load_network
from photoz_morph.models.registry import build_classifier
from photoz_morph.training.dropout import reset_dropout

SHAPE = (16, 16, 3)


def latents(n, d=8, shift=0.0, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, d)) + shift).astype(np.float32)


def mean_kernel(a, b, variances, skip_diagonal=False):
    """Mean of the summed Gaussians over pairs, in plain loops and float64."""
    values = [
        sum(np.exp(-np.sum((x.astype(np.float64) - y) ** 2) / (2 * s)) for s in variances)
        for i, x in enumerate(a)
        for j, y in enumerate(b)
        if not (skip_diagonal and i == j)
    ]
    return np.mean(values)


@pytest.mark.parametrize("unbiased", [False, True])
def test_mmd_is_the_double_sum_over_pairs(unbiased):
    source, target = latents(9), latents(7, shift=0.5, seed=1)
    expected = sum(mean_kernel(a, a, PAPER_VARIANCES, unbiased) for a in (source, target))
    expected -= 2 * mean_kernel(source, target, PAPER_VARIANCES)
    value = float(maximum_mean_discrepancy(source, target, PAPER_VARIANCES, unbiased))
    assert value == pytest.approx(expected, abs=2e-5)  # float32, of numbers near 19


def test_median_estimator_is_the_double_sum_with_widths_of_the_pooled_median():
    source, target = latents(9), latents(7, shift=0.5, seed=1)
    pooled = np.concatenate([source, target])
    scale = np.median([np.sum((pooled[i] - pooled[j]) ** 2) for i in range(16) for j in range(i)])
    variances = scale * np.array([0.25, 0.5, 1, 2, 4])
    expected = sum(mean_kernel(a, a, variances, True) for a in (source, target))
    expected -= 2 * mean_kernel(source, target, variances)
    assert float(median_mmd(source, target)) == pytest.approx(expected / 5, abs=1e-6)


def test_paper_kernel_of_a_latent_with_itself_is_19():
    far = np.full((1, 8), 1e5, np.float32)  # k(x, y) = exp(-4e4) even for the widest kernel
    value = maximum_mean_discrepancy(0 * far, far, PAPER_VARIANCES, unbiased=False)
    assert float(value) == 19 + 19


def test_biased_and_unbiased_differ_by_the_diagonal():
    source, target = latents(12), latents(12, shift=0.3, seed=1)
    off_diagonal = [mean_kernel(a, a, PAPER_VARIANCES, skip_diagonal=True) for a in (source, target)]
    biased, unbiased = (float(maximum_mean_discrepancy(source, target, PAPER_VARIANCES, u)) for u in (False, True))
    assert biased - unbiased == pytest.approx(sum(19 - mean for mean in off_diagonal) / 12, abs=2e-5)


@pytest.mark.parametrize("estimator", [median_mmd, paper_mmd])
def test_mmd_grows_with_the_shift_of_a_domain(estimator):
    values = [float(estimator(latents(64), latents(64, shift=shift, seed=1))) for shift in (0, 0.25, 0.5, 1, 2)]
    assert values == sorted(values) and values[-1] > 5 * abs(values[0])


def test_mmd_of_a_sample_with_itself_is_zero():
    source = latents(32)
    value = maximum_mean_discrepancy(source, source, (1.0, 5.0, 25.0), unbiased=False)
    assert float(value) == pytest.approx(0, abs=1e-6)


def test_unbiased_estimate_is_zero_on_average_for_equal_distributions():
    values = [float(median_mmd(latents(32, seed=2 * i), latents(32, seed=2 * i + 1))) for i in range(100)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 10  # four standard errors of a mean of 100
    assert min(values) < 0 < max(values)


@pytest.mark.parametrize(("norm", "expected"), [(0.1, 0.07), (1, 0.11), (5, 0.19), (20, 0.24)])
def test_paper_estimate_has_its_known_bias_for_equal_distributions(norm, expected):
    """Two batches of 128 Gaussian latents of dimension 256, of a given mean length."""
    source, target = (latents(128, 256, seed=seed) * np.float32(norm / 16) for seed in (1, 2))
    assert float(paper_mmd(source, target)) == pytest.approx(expected, abs=0.006)


def test_paper_estimate_has_a_floor():
    assert float(paper_mmd(np.zeros((4, 2)), np.zeros((4, 2)))) == pytest.approx(1e-4)


def test_median_estimate_does_not_depend_on_the_scale_of_the_latents():
    source, target = latents(16), latents(16, shift=1, seed=1)
    value = float(median_mmd(source, target))
    assert [float(median_mmd(c * source, c * target)) for c in (1e-3, 1e3)] == pytest.approx([value] * 2, rel=1e-4)


def test_latents_far_from_zero_keep_their_digits():
    source, target = latents(16, 256), latents(16, 256, shift=0.2, seed=1)
    moved = float(median_mmd(source + np.float32(100), target + np.float32(100)))
    assert moved == pytest.approx(float(median_mmd(source, target)), abs=1e-5)


def test_bfloat16_latents_are_compared_in_float32():
    source, target = (ops.cast(x, "bfloat16") for x in (latents(16), latents(16, shift=1, seed=1)))
    exact = float(median_mmd(ops.cast(source, "float32"), ops.cast(target, "float32")))
    assert float(median_mmd(source, target)) == pytest.approx(exact, rel=1e-6)


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


def one_step(model, images, labels):
    return model.train_on_batch(images, labels, return_dict=True)


def test_loss_is_source_cross_entropy_plus_weighted_mmd_plus_weight_decay():
    images, labels = galaxies()
    weights = np.array([0.5, 1.0, 2.0])
    model = adapted(mmd_weight=0.3, class_weights=weights, l2=0.01)
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
    regular, with_mmd = (adapted(keras.optimizers.SGD(0.0), mmd_weight=weight) for weight in (0.0, 0.05))
    logs = [one_step(model, images, labels) for model in (regular, with_mmd)]
    assert logs[0]["loss"] == logs[0]["cross_entropy"] == logs[1]["cross_entropy"] < logs[1]["loss"]
    assert np.isnan(logs[0]["mmd"])
    for a, b in zip(regular.get_weights(), with_mmd.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    maps = keras.Model(regular.classifier.input, regular.classifier.get_layer("conv1").output)
    mean = np.mean(maps({"image": np.concatenate([images["source"], images["target"]])}), axis=(0, 1, 2))
    moving = regular.classifier.get_layer("bn1").moving_mean
    np.testing.assert_allclose(moving, 0.1 * mean, atol=1e-5)


def test_mmd_weight_warms_up_and_rises():
    model = adapted(mmd_weight=0.4, warmup_iterations=10, ramp_iterations=20)
    assert [float(model.mmd_weight_at(i)) for i in (0, 10, 15, 30, 99)] == pytest.approx([0, 0, 0.1, 0.4, 0.4])
    model = adapted(mmd_weight=0.4, warmup_iterations=10)
    assert [float(model.mmd_weight_at(i)) for i in (0, 9, 10)] == pytest.approx([0, 0, 0.4])


def test_training_brings_the_domains_together_only_with_mmd():
    images, labels = galaxies(96)
    distances = []
    for weight in (0.0, 1.0):
        model = adapted(keras.optimizers.Adam(1e-2), mmd_weight=weight)
        history = model.fit(images, labels, batch_size=32, epochs=25, verbose=0).history
        outputs = [model({"image": images[domain]}) for domain in ("source", "target")]
        distances.append(float(median_mmd(*(output["latent"] for output in outputs))))
        assert history["cross_entropy"][-1] < 0.6 * history["cross_entropy"][0]
    assert distances[1] < 0.5 * distances[0]


def test_coupled_weight_decay_pulls_on_every_weight():
    images, labels = galaxies()
    free, decayed = (adapted(keras.optimizers.SGD(1.0), mmd_weight=0.0, l2=l2) for l2 in (0.0, 0.1))
    start = [np.array(weight) for weight in free.trainable_variables]
    for model in (free, decayed):
        one_step(model, images, labels)
    for before, a, b in zip(start, free.trainable_variables, decayed.trainable_variables, strict=True):
        np.testing.assert_allclose(np.asarray(a) - np.asarray(b), 0.1 * before, atol=1e-5)


def test_decoupled_weight_decay_leaves_biases_and_batch_norm():
    images, labels = galaxies()
    model = adapted(keras.optimizers.AdamW(1e-3, weight_decay=500.0), mmd_weight=0.0)
    start = [np.array(weight) for weight in model.trainable_variables]
    one_step(model, images, labels)
    for before, weight in zip(start, model.trainable_variables, strict=True):
        left = before / 2 if weight.name == "kernel" else before  # 1 - 500 x 1e-3 is a half
        np.testing.assert_allclose(weight, left, atol=1.1e-3)  # a step of Adam is at most its learning rate


def test_dropout_of_an_epoch_depends_on_seed_and_epoch_alone():
    model = adapted(dropout=0.5)
    image = galaxies()[0]["source"]

    def latents(seed, epoch):
        reset_dropout(model, seed, epoch)
        return [np.asarray(model({"image": image}, training=True)["latent"]) for _ in range(2)]

    first = latents(1, 0)
    assert not np.array_equal(*first)  # each batch has masks of its own
    np.testing.assert_array_equal(first, latents(1, 0))
    assert not np.array_equal(first[0], latents(1, 1)[0])
    assert not np.array_equal(first[0], latents(2, 0)[0])


def test_a_resumed_training_ends_with_the_weights_of_an_undisturbed_one(tmp_path):
    """Three epochs against one, a checkpoint, and two more; AdamW, dropout and a ramp have state that must survive."""
    images, labels = galaxies()
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, 12)
    options = dict(dropout=0.5, mmd_weight=0.5, warmup_iterations=2, ramp_iterations=6, class_weights=(0.8, 1.4, 1.0))

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


def test_each_domain_is_scaled_by_its_own_quantiles_in_training():
    images, labels = galaxies()
    scaling = ArcsinhScaling(n_domains=2)
    scaling.set_quantiles([[0.0, 1.0], [0.0, 4.0]])
    own = build_classifier("convnet", SHAPE, seed=1, width=2, n_latent=6, scaling=scaling)
    plain = build_classifier("convnet", SHAPE, seed=1, width=2, n_latent=6)
    scaled = {name: np.arcsinh(0.85 * images[name] / q) for name, q in (("source", 1), ("target", 4))}
    losses = []
    for network, batch in ((own, images), (plain, scaled)):
        model = DomainAdaptedClassifier(network, mmd_weight=1.0)
        model.compile(keras.optimizers.Adam(1e-3))
        losses.append(float(model.losses((batch, labels))[0]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_unknown_estimator_is_named():
    with pytest.raises(ValueError, match="no MMD estimator 'coral'; there are median, paper"):
        adapted(estimator="coral")


def run_script(script, *arguments, **environment):
    """Printed `name value` lines of a script in a process of its own."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr[-2000:]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in result.stdout.splitlines())}


TWO_REPLICAS = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
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
        options = dict(ramp_iterations=2, class_weights=(0.5, 1.0, 2.0), l2=1e-2, consistency_weight=0.5)
        model = DomainAdaptedClassifier(network, 1.0, **options)
        # Biases before batch norm have no gradient; with a smaller epsilon Adam makes steps of its rounding errors.
        model.compile(keras.optimizers.Adam(1e-3, epsilon=1e-3))
    start = [np.array(weight) for weight in model.trainable_variables]
    logs.append(model.fit(data, epochs=2, shuffle=False, verbose=0).history)
    weights.append(model.get_weights())
    print("replicas", strategy.num_replicas_in_sync)
print("moved", max(np.abs(a - b).max() for a, b in zip(start, model.trainable_variables)))
print("weights", max(np.abs(a - b).max() for a, b in zip(*weights)))
for term in ("loss", "cross_entropy", "mmd", "consistency", "accuracy"):
    print(term, np.abs(np.subtract(logs[0][term], logs[1][term])).max())
"""


def test_two_replicas_take_the_step_of_one():
    printed = run_script(TWO_REPLICAS)
    assert printed["replicas"] == 2 and printed["moved"] > 1e-3
    assert printed["weights"] < 2e-6  # float32 rounding through four steps, of weights and of batch-norm moments
    assert max(printed[term] for term in ("loss", "cross_entropy", "mmd", "consistency", "accuracy")) < 1e-5


JAX = """
import sys
import keras, numpy as np
from photoz_morph.models.registry import build_classifier
from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
from photoz_morph.models.layers.defences import defended

saved = np.load(sys.argv[1])
images, labels = {"source": saved["source"], "target": saved["target"]}, saved["labels"]
network = build_classifier("convnet", images["source"].shape[1:], seed=1, width=2, n_latent=6)
network.set_weights([saved[f"weight_{index}"] for index in range(len(network.weights))])
options = dict(ramp_iterations=2, class_weights=(0.5, 1, 2), l2=0.01, consistency_weight=2.0)
for name in ("d4", "median"):
    print(name, float(np.sum(defended(network, name)({"image": images["source"]})["latent"])))
model = DomainAdaptedClassifier(network, 0.5, **options)
model.compile(keras.optimizers.AdamW(1e-2, weight_decay=0.1))
history = model.fit(images, labels, batch_size=32, epochs=2, shuffle=False, verbose=0).history  # of one step each
for term, values in history.items():
    print(0, term, values[0])
    print(1, term, values[1])
print("variance", float(np.sum(network.get_layer("bn1").moving_variance)))
print("last", model.fit(images, labels, batch_size=32, epochs=20, verbose=0).history["loss"][-1])
assert keras.backend.backend() == "jax"
"""


def test_jax_takes_the_steps_of_tensorflow(tmp_path):
    """Two steps: the second has the gradients of the first, the ramp and the moments of batch norm in it."""
    pytest.importorskip("jax")
    images, labels = galaxies()
    options = dict(mmd_weight=0.5, ramp_iterations=2, class_weights=(0.5, 1, 2), l2=0.01, consistency_weight=2.0)
    model = adapted(keras.optimizers.AdamW(1e-2, weight_decay=0.1), **options)
    weights = {f"weight_{index}": weight for index, weight in enumerate(model.classifier.get_weights())}
    np.savez(tmp_path / "batch.npz", labels=labels, **images, **weights)
    printed = run_script(JAX, tmp_path / "batch.npz", KERAS_BACKEND="jax")
    for name in ("d4", "median"):
        latent = defended(model.classifier, name)({"image": images["source"]})["latent"]
        assert printed[name] == pytest.approx(float(np.sum(latent)), abs=1e-4)
    for step in range(2):
        for term, value in one_step(model, images, labels).items():
            assert printed[f"{step} {term}"] == pytest.approx(value, abs=1e-5), (step, term)
    variance = float(np.sum(model.classifier.get_layer("bn1").moving_variance))
    assert printed["variance"] == pytest.approx(variance, rel=1e-5)
    assert printed["last"] < 0.8 * printed["0 loss"]
