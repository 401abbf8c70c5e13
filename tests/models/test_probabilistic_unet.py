import keras
import numpy as np
import pytest
from scipy import stats

from photoz_morph.models.layers.image_scaling import ArcsinhScaling, scaling_preset
from photoz_morph.models.loading import load_network
from photoz_morph.models.probabilistic_unet import gaussian_divergence, probabilistic_unet


def small(image_shape=(8, 8, 2), **options):
    return probabilistic_unet(image_shape, **{"n_latent": 3, "width": 4, "depth": 1, "seed": 1, **options})


def inputs(n=3, n_draws=4, n_latent=3, shape=(8, 8, 2)):
    rng = np.random.default_rng(2)
    image, noise = rng.normal(size=(n, *shape)), rng.normal(size=(n, n_draws, n_latent))
    return {"image": image.astype(np.float32), "noise": noise.astype(np.float32)}


def test_divergence_of_gaussians_by_hand_and_by_integration():
    """KL of N(1, 2) from N(0, 1) is (4 + 1 - 1) / 2 - ln 2."""
    found = gaussian_divergence(*(np.array([[value]], np.float32) for value in (1, np.log(2), 0, 0)))
    assert float(found[0]) == pytest.approx(2 - np.log(2), rel=1e-6)
    rng = np.random.default_rng(1)
    mean, log_sigma, other, log_other = rng.normal(size=(4, 5)) * [[1], [0.4], [1], [0.4]]
    expected = 0.0
    for row in range(5):
        q, p = stats.norm(mean[row], np.exp(log_sigma[row])), stats.norm(other[row], np.exp(log_other[row]))
        x = np.linspace(q.ppf(1e-12), q.isf(1e-12), 20001)
        expected += np.trapezoid(q.pdf(x) * (q.logpdf(x) - p.logpdf(x)), x)
    assert float(gaussian_divergence(mean, log_sigma, other, log_other)) == pytest.approx(expected, rel=1e-5)
    assert float(gaussian_divergence(mean, log_sigma, mean, log_sigma)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("sigma", [None, 0.3])
def test_loss_is_the_evidence_lower_bound(sigma):
    model, given = small(sigma=sigma, kl_weight=0.5), inputs(n_draws=2)
    truth = np.random.default_rng(3).normal(size=(3, 8, 8, 2)).astype(np.float32)
    maps, prior = (np.array(part(given["image"])) for part in (model.unet, model.prior))
    posterior = np.array(model.posterior(np.concatenate([given["image"], truth], axis=-1)))
    expected = {"nll": np.zeros(3), "kl": np.zeros(3)}
    for row in range(3):
        (m, log_s), (other, log_other) = np.split(posterior[row], 2), np.split(prior[row], 2)
        s, t = np.exp(log_s), np.exp(log_other)
        expected["kl"][row] = np.sum(np.log(t / s) + (s**2 + (m - other) ** 2) / (2 * t**2) - 0.5) / 128
        for draw in range(2):
            latent = np.broadcast_to(m + s * given["noise"][row, draw], (8, 8, 3))
            outputs = np.array(model.combiner(np.concatenate([maps[row], latent], axis=-1)[None]))[0]
            deviation = np.exp(outputs[..., 2:]) if sigma is None else sigma
            expected["nll"][row] -= stats.norm.logpdf(truth[row], outputs[..., :2], deviation).mean() / 2
    terms = model.loss_terms(given, truth, {"maps": maps, "prior": prior}, training=False)
    for name, values in terms.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-4, atol=1e-6)
    model.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
    logs = model.evaluate(given, truth, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(np.mean(expected["nll"] + 0.5 * expected["kl"]), rel=1e-4)
    assert logs["kl"] == pytest.approx(expected["kl"].mean(), rel=1e-4, abs=1e-6)


def test_a_sample_depends_on_its_own_image_and_noise_alone():
    model, given = small(), inputs()
    model.prior.get_layer("prior_moments").bias.assign([0.5, 0, 0, 1, 0, 0])
    together = model(given)
    alone = model({"image": given["image"][1:2], "noise": given["noise"][1:2, 2:3]})
    np.testing.assert_allclose(together["samples"][1, 2], alone["samples"][0, 0], atol=1e-5)
    assert np.std(together["samples"], axis=1).mean() > 1e-3
    none = {"image": given["image"], "noise": np.zeros((3, 1, 3), np.float32)}
    np.testing.assert_allclose(model(none)["samples"][:, 0], together["image"], atol=1e-6)


def test_images_and_sigmas_are_in_the_unit_of_the_image():
    """About 3 q / 0.85 sinh is linear to 1 %, so sigma is q / 0.85 cosh times that of the scaled pixels."""
    scaling = ArcsinhScaling()
    scaling.set_quantiles([0.0, 17.0])
    model = small(scaling=scaling, sigma=0.02)
    outputs = model(inputs())
    pixels = np.arcsinh(0.85 * np.array(outputs["image"]) / 17)
    np.testing.assert_allclose(outputs["sigma"], 0.02 * 20 * np.cosh(pixels), rtol=1e-3)
    scaled = model._scaled(outputs["image"])
    np.testing.assert_allclose(scaled, pixels, atol=1e-5)


def test_noise_must_be_given_in_training_and_the_scaling_be_invertible():
    model = small()
    model.compile("adam", run_eagerly=True)
    with pytest.raises(ValueError, match="inputs have no 'noise': standard normal numbers"):
        model.train_on_batch({"image": inputs()["image"]}, inputs()["image"])
    with pytest.raises(ValueError, match="must be of one domain and not clip"):
        small(scaling=scaling_preset("paper"))


def ambiguous(n, seed):
    """Two blobs, of which the image is the sum; the true image is one of them times 1 or 3, as a coin falls."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((8, 8))
    blob, other = (np.exp(-((rows - 3.5) ** 2 + (columns - at) ** 2) / 4) for at in (2.5, 5.5))
    factor = rng.choice([1.0, 3.0], (n, 1, 1))
    image = np.broadcast_to(blob * 3 + other * 3, (n, 8, 8)) + rng.normal(size=(n, 8, 8)) * 0.05
    noise = rng.normal(size=(n, 1, 2))
    truth = (factor * blob)[..., None].astype(np.float32)
    return {"image": image[..., None].astype(np.float32), "noise": noise.astype(np.float32)}, truth


def test_samples_take_both_images_that_may_lie_behind_a_blend(tmp_path):
    """One network without latents could only give the mean of the two."""
    given, truth = ambiguous(3840, seed=1)
    model = probabilistic_unet((8, 8, 1), n_latent=2, width=6, depth=1, sigma=0.3, seed=2)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-2, 720)))
    model.optimizer.build(model.trainable_variables)  # otherwise the step is traced twice
    before = model.evaluate(given, truth, verbose=0, return_dict=True)["loss"]
    history = model.fit(given, truth, batch_size=16, epochs=3, verbose=0).history
    assert history["loss"][-1] < 0.2 * before and set(history) == {"loss", "nll", "kl"}
    test, _ = ambiguous(8, seed=2)
    test["noise"] = np.random.default_rng(3).normal(size=(8, 64, 2)).astype(np.float32)
    outputs = model.predict(test, verbose=0)
    peak = outputs["samples"][:, :, 3, 2, 0] / np.exp(-0.25 / 2)
    is_low, is_high = np.abs(peak - 1) < 0.6, np.abs(peak - 3) < 0.6
    # The mean of the two would be in neither; how near to each a small network comes depends on the processor.
    assert is_low.mean() > 0.1 and is_high.mean() > 0.1 and (is_low | is_high).mean() > 0.5
    model.save(tmp_path / "network.keras")
    restored = load_network(tmp_path / "network.keras", compile=True)
    for name, values in restored.predict(test, verbose=0).items():
        np.testing.assert_array_equal(values, outputs[name])
    assert int(restored.optimizer.iterations) == 720 and restored.sigma == 0.3
