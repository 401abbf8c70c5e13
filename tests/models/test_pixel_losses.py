import numpy as np
import pytest

from photoz_morph.models.pixel_losses import ArcsinhError, PixelCrossEntropy


def test_cross_entropy_is_the_mean_over_pixels_weighted_by_class():
    rng = np.random.default_rng(1)
    logits, classes = rng.normal(size=(2, 4, 5, 3)), rng.integers(0, 3, (2, 4, 5))
    log_probability = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    each = -np.take_along_axis(log_probability, classes[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(PixelCrossEntropy().call(classes, logits), each.mean(axis=(1, 2)), rtol=1e-5)
    weights = np.array([0.1, 2.0, 1.0])
    expected = (weights[classes] * each).mean()
    assert float(PixelCrossEntropy(weights.tolist())(classes, logits)) == pytest.approx(expected, rel=1e-5)


def test_arcsinh_error_is_absolute_in_the_sky_and_relative_in_a_galaxy():
    sky, galaxy = np.full((1, 2, 2, 3), 0.001), np.full((1, 2, 2, 3), 1000.0)
    assert float(ArcsinhError(0.5)(sky, sky + 0.002)) == pytest.approx(0.004, rel=1e-3)
    assert float(ArcsinhError(0.5)(galaxy, 1.1 * galaxy)) == pytest.approx(np.log(1.1), rel=1e-4)
