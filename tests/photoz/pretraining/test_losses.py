import numpy as np
import pytest
from keras import ops

from photoz_morph.photoz.pretraining.losses import colour_loss, contrast_loss, redshift_loss


def nt_xent(first, second, temperature):
    """Chen et al. (2020), Eq. 1, in loops."""
    views = np.concatenate([first, second])
    views = views / np.linalg.norm(views, axis=1, keepdims=True)
    n, total = len(first), 0.0
    for i in range(2 * n):
        similar = np.exp([views[i] @ views[k] / temperature for k in range(2 * n) if k != i])
        total -= np.log(np.exp(views[i] @ views[(i + n) % (2 * n)] / temperature) / similar.sum())
    return total / (2 * n)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_contrast_is_nt_xent(temperature):
    first, second = np.random.default_rng(1).normal(size=(2, 6, 4)).astype(np.float32)
    found = float(contrast_loss(ops.convert_to_tensor(first), ops.convert_to_tensor(second), temperature))
    assert found == pytest.approx(nt_xent(first, second, temperature), rel=1e-4)


def test_contrast_of_views_that_are_all_alike_is_the_logarithm_of_their_number():
    same = ops.ones((5, 3))
    assert float(contrast_loss(same, same, 0.1)) == pytest.approx(np.log(9), rel=1e-5)


def test_what_is_unknown_has_no_part_in_a_loss():
    nan = np.nan
    colours = np.array([[0.5, nan], [3.0, 1.0]], np.float32)
    predicted = np.zeros((2, 2), np.float32)
    # Huber: 0.5^2 / 2, 3 - 0.5, 1 - 0.5
    assert float(colour_loss(predicted, colours)) == pytest.approx((0.125 + 2.5 + 0.5) / 3)
    target, pdf = np.array([[0, 1], [nan, nan]], np.float32), np.array([[0.2, 0.8], [0.5, 0.5]], np.float32)
    assert float(redshift_loss(pdf, target)) == pytest.approx(-np.log(0.8))
    assert float(colour_loss(predicted, np.full((2, 2), nan, np.float32))) == 0
    assert float(redshift_loss(pdf, np.full((2, 2), nan, np.float32))) == 0
