import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from photoz_morph.adaptation.augmented.fixmatch import fixmatch_loss, pseudo_label_loss


def logits(n=12, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32) * 3


@pytest.mark.parametrize("threshold", [0.0, 0.8])
def test_loss_is_the_cross_entropy_with_the_sure_classes(threshold):
    plain, view = logits(), logits(seed=1)
    expected = 0.0
    for own, other in zip(plain, view):
        if softmax(own).max() >= threshold:
            expected -= log_softmax(other)[own.argmax()] / len(plain)
    assert float(pseudo_label_loss(plain, view, threshold)) == pytest.approx(expected, rel=1e-5)


def test_loss_is_zero_where_no_class_is_sure_or_the_view_has_it():
    assert float(pseudo_label_loss(np.zeros((5, 3), np.float32), logits(5), 0.95)) == 0
    sure = np.float32(50 * np.eye(3)[[0, 1, 2, 2]])
    assert float(pseudo_label_loss(sure, sure, 0.95)) == pytest.approx(0, abs=1e-6)


def test_loss_grows_as_the_view_leaves_the_class():
    sure = np.float32(50 * np.eye(3)[[0, 1, 2, 2]])
    values = [float(pseudo_label_loss(sure, c * sure, 0.95)) for c in (1, 0.1, 0, -0.1, -1)]
    assert values == sorted(values) and values[2] == pytest.approx(np.log(3), rel=1e-6)


def test_a_view_is_of_the_target_and_changes_every_image():
    rng = np.random.default_rng(2)
    source, target = rng.normal(size=(2, 8, 20, 20, 1)).astype(np.float32) + 5
    loss = fixmatch_loss(view_shift=2)
    loss.create(4, 3, seed=1)
    view = np.asarray(loss.view(source, target, (0, 8, 8)))
    assert view.shape == target.shape and (view != target).any(axis=(1, 2, 3)).all()
    light = np.where(view == 0, np.nan, view)  # outside of the hole: the mean is kept, the noise is not lower
    np.testing.assert_allclose(np.nanmean(light, axis=(1, 2, 3)), 5, atol=0.3)
    assert np.all(np.nanstd(light, axis=(1, 2, 3)) > 0.9) and np.nanstd(light) < 1.5
    again = fixmatch_loss(view_shift=2)
    again.create(4, 3, seed=1)
    np.testing.assert_array_equal(again.view(source * 0, target, (0, 8, 8)), view)
