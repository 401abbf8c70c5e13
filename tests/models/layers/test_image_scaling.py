import keras
import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.models.layers.image_scaling import ArcsinhScaling, fit_scaling, scaling_preset
from photoz_morph.models.loading import load_network


@pytest.fixture(scope="module")
def images():
    """Noise about a bright centre, as a stamp; more than one percent of its pixels are negative."""
    rng = np.random.default_rng(3)
    return (rng.normal(size=(37, 20, 20, 3)) + rng.pareto(1.5, size=(37, 20, 20, 3))).astype(np.float32)


def scaled(values, layer, domain=None):
    """A row of pixel values through a layer."""
    image = np.asarray(values, np.float32).reshape(1, 1, -1, 1)
    return np.asarray(layer(image, domain=domain)).ravel()


def test_paper_preset_has_the_values_of_the_published_code():
    layer = scaling_preset("paper")
    layer.set_quantiles([[-3.0, 250.0], [-1.0, 20.0]])
    assert scaled([250.0, 0.0], layer) == pytest.approx([0.885619, 0.5], abs=1e-6)
    assert scaled([1e4, -1e4], layer) == pytest.approx(scaled([250.0, -3.0], layer))


def test_without_clip_one_lies_at_1_3826_of_the_high_quantile():
    layer = ArcsinhScaling(offset_half=True)
    layer.set_quantiles([-3.0, 250.0])
    assert scaled([1.3826 * 250], layer) == pytest.approx([1.0], abs=1e-4)


def test_default_preset_is_arcsinh_of_the_flux_in_units_of_the_high_quantile():
    layer = scaling_preset("default")
    layer.set_quantiles([-3.0, 8.0])
    x = np.linspace(-50, 500, 12)
    assert scaled(x, layer) == pytest.approx(np.arcsinh(0.85 * x / 8), rel=1e-6)


def test_each_image_takes_the_quantiles_of_its_domain(images):
    layer = scaling_preset("paper")
    quantiles = [[-0.5, 9.0], [-0.1, 2.0]]
    layer.set_quantiles(quantiles)
    domain = np.arange(len(images)) % 2
    expected = [
        (np.arcsinh(0.85 * np.clip(image, *quantiles[own]) / quantiles[own][1]) + 1) / 2
        for image, own in zip(images, domain)
    ]
    np.testing.assert_allclose(layer(images, domain=domain), expected, atol=1e-6)


def test_an_unfitted_scaling_returns_no_number(images):
    assert np.isnan(np.asarray(ArcsinhScaling()(images))).all()


def test_scaling_survives_keras_file_and_saved_model(images, tmp_path):
    image, domain = keras.Input((20, 20, 3), name="image"), keras.Input((), dtype="int32", name="domain")
    layer = scaling_preset("paper")
    layer.set_quantiles([[-0.5, 9.0], [-0.1, 2.0]])
    network = keras.Model({"image": image, "domain": domain}, layer(image, domain=domain))
    inputs = {"image": images, "domain": np.arange(len(images), dtype=np.int32) % 2}
    expected = network(inputs)
    network.save(tmp_path / "network.keras")
    np.testing.assert_array_equal(load_network(tmp_path / "network.keras")(inputs), expected)
    network.export(tmp_path / "saved", verbose=False)
    saved = tf.saved_model.load(tmp_path / "saved")  # must outlive its signature
    np.testing.assert_allclose(saved.serve(inputs), expected, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 5, 37])
def test_fitted_quantiles_are_the_percentiles_of_all_pixels_together(images, batch_size):
    batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    assert fit_scaling(batches) == pytest.approx(np.percentile(images.astype(np.float64), (0.1, 99.9)), rel=1e-6)
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(batch_size)
    assert fit_scaling(dataset, (1, 60)) == pytest.approx(np.percentile(images.astype(np.float64), (1, 60)), rel=1e-6)


def test_images_that_cannot_be_fitted_are_named(images):
    with pytest.raises(ValueError, match="give no generator"):
        fit_scaling(image for image in images)
    with pytest.raises(ValueError, match="no images"):
        fit_scaling([])
    bad = images.copy()
    bad[1, 0, 0, 1] = np.inf
    with pytest.raises(ValueError, match="pixel 1201 of the images is not finite"):
        fit_scaling(list(bad))


def test_impossible_quantiles_are_named():
    with pytest.raises(ValueError, match=r"quantiles have shape \(1, 2\), the scaling needs \(2, 2\)"):
        scaling_preset("paper").set_quantiles([0.0, 1.0])
    with pytest.raises(ValueError, match="q_high must be positive"):
        ArcsinhScaling().set_quantiles([-2.0, -1.0])
    with pytest.raises(ValueError, match="no scaling preset 'asinh'; there are default, paper"):
        scaling_preset("asinh")


@pytest.mark.parametrize("options", [{}, {"offset_half": True}, {"n_domains": 2}])
def test_the_inverse_gives_back_the_images(options):
    layer = ArcsinhScaling(softness=30.0, **options)
    layer.set_quantiles([[-1.0, 5.0], [-2.0, 40.0]][: layer.n_domains])
    images = np.random.default_rng(1).normal(size=(2, 4, 4, 3)).astype(np.float32) * 20
    domain = np.array([0, 1]) if layer.n_domains > 1 else None
    back = layer(layer(images, domain=domain), domain=domain, inverse=True)
    np.testing.assert_allclose(back, images, rtol=1e-4, atol=1e-3)
