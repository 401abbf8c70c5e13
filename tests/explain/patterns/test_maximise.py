import numpy as np
import pytest

from photoz_morph.explain.gradients import Score
from photoz_morph.explain.patterns.dream import dream
from photoz_morph.explain.patterns.layer_outputs import unit, up_to_layer
from photoz_morph.explain.patterns.maximise import maximise
from photoz_morph.explain.patterns.regularisers import sky_noise
from tests.explain.patterns.test_strongest import STRIPE, stripe_network
from tests.support.explain import galaxies, linear, total
from tests.support.explain_layers import network_of

SKY = np.array([0.5, 1.0, 2.0])


def test_a_linear_score_is_raised_along_its_weights_as_far_as_the_penalty_allows():
    network, weights, of_ebv = linear()
    inputs = galaxies(n=2)
    found = maximise(network, total, inputs, SKY, weight=0.5, n_steps=300, step=0.1)
    # d/du of w sigma u - lambda u^2 is 0 at u = w sigma / 2 lambda.
    expected = weights * SKY / (2 * 0.5)
    np.testing.assert_allclose(found.change, np.stack([expected] * 2), atol=0.02)
    np.testing.assert_allclose(found.images, inputs["image"] + found.change * SKY, rtol=1e-4, atol=1e-5)
    gain = (weights * SKY * found.change).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found.after - found.before, gain, rtol=1e-3)


def test_from_noise_the_faintest_image_is_found_whatever_the_noise():
    network, weights, _ = linear()
    inputs = {**galaxies(n=2), "image": sky_noise((6, 6), SKY, [1, 2])}
    found = maximise(network, total, inputs, SKY, weight=0.5, from_start=False, n_steps=400, step=0.1)
    np.testing.assert_allclose(found.images / SKY, np.stack([weights * SKY] * 2), atol=0.05)


def test_maximisation_of_a_planted_filter_draws_its_stripe():
    network = stripe_network(activation=None)
    target = unit(np.array([[6, 6]]), [0])
    start = {"image": sky_noise((12, 12), [0.1, 0.1], [0])}
    found = maximise(up_to_layer(network, "C1"), target, start, [0.1, 0.1], 1e-2, n_steps=150, step=0.5)
    drawn = found.change[0, 5:8, 5:8, 1]
    assert np.corrcoef(drawn.ravel(), STRIPE.ravel())[0, 1] > 0.99
    assert found.after[0] > found.before[0] + 1
    outside = found.change[0].copy()
    outside[5:8, 5:8] = 0
    assert np.abs(outside).max() < 1e-6


def test_jitter_and_blurring_belong_to_the_galaxy():
    network, target, inputs, _ = network_of("inception")
    options = {"sky_sigma": [0.03] * 5, "weight": 1e-9, "n_steps": 5, "jitter": 3}
    options |= {"blur_sigma": 1.0, "blur_every": 2, "seed": 4}
    both = maximise(network, target, inputs, objects=[70, 71], **options)
    second = {name: values[1:] for name, values in inputs.items()}
    alone = maximise(network, target, second, objects=[71], **options)
    np.testing.assert_allclose(alone.change[0], both.change[1], atol=1e-2)
    other = maximise(network, target, second, objects=[72], **options)
    assert np.abs(other.change - alone.change).max() > 0.1
    rough = maximise(network, target, second, objects=[71], **{**options, "blur_sigma": 0.0})
    steps = [np.abs(np.diff(found.change, axis=1)).mean() / np.abs(found.change).mean() for found in (alone, rough)]
    assert steps[0] < steps[1]


def test_a_galaxy_is_moved_to_a_higher_redshift_within_a_limit():
    network, target, inputs, _ = network_of("inception")
    found = maximise(network, target, inputs, [0.03] * 5, weight=1e-9, n_steps=30, step=0.5, limit=2.0)
    assert (found.after > found.before).all() and np.abs(found.change).max() <= 2.0
    np.testing.assert_allclose(found.after, Score(network, target)({**inputs, "image": found.images}), atol=1e-6)
    lowered = maximise(network, lambda *given: -target(*given), inputs, [0.03] * 5, weight=1e-9, n_steps=30, step=0.5)
    assert (-lowered.after < found.before).all()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"sky_sigma": [1.0]}, r"sky_sigma has shape \(1,\), the images \(5, 6, 6, 3\)"),
        ({"sky_sigma": [1.0, 0.0, 1.0]}, r"sky_sigma is \[1.0, 0.0, 1.0\]; it must be positive"),
        ({"n_steps": 0}, "n_steps is 0; it must be at least 1"),
        ({"step": 0.0}, "step is 0.0; it must be positive"),
        ({"weight": float("nan")}, "weight is nan; it must be at least 0"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    network, *_ = linear()
    with pytest.raises(ValueError, match=message):
        maximise(network, total, galaxies(), **{"sky_sigma": SKY, **options})


def test_a_target_that_is_not_finite_names_the_galaxy():
    network, *_ = linear()
    inputs = galaxies()
    inputs["ebv"][3] = np.nan
    with pytest.raises(ValueError, match="the target of galaxy 13 is nan at the start"):
        maximise(network, total, inputs, SKY, objects=np.arange(10, 15))


def test_a_dream_of_a_planted_filter_is_full_of_stripes():
    network = stripe_network()
    start = {"image": sky_noise((12, 12), [0.1, 0.1], [3, 4])}
    options = {"n_octaves": 2, "n_steps": 15, "blur_sigma": 0.0, "objects": [3, 4]}
    found = dream(network, "C1", start, [0.1, 0.1], filters=[0], **options)
    assert found.images.shape == (2, 17, 17, 2)
    assert (found.norms[:, 1] > 1.2 * found.norms[:, 0]).all()
    # Stripes run along columns: neighbours above and below are alike, those beside are not.
    detail = found.detail[..., 1]
    along, across = (np.mean(detail * np.roll(detail, 1, axis)) / np.mean(detail**2) for axis in (1, 2))
    assert along > 0.5 > across and np.abs(found.detail[..., 0]).max() < 1e-6


def test_the_dream_of_a_galaxy_does_not_depend_on_the_others_and_goes_on_where_a_smaller_one_ended():
    network, _, inputs, _ = network_of("inception")
    options = {"sky_sigma": [0.03] * 5, "n_steps": 2, "octave_scale": 1.1}
    both = dream(network, "Co1", inputs, n_octaves=2, objects=[5, 6], **options)
    assert both.images.shape == (2, 70, 70, 5) and both.norms.shape == (2, 2, 2)
    second = {name: values[1:] for name, values in inputs.items()}
    alone = dream(network, "Co1", second, n_octaves=2, objects=[6], **options)
    np.testing.assert_allclose(alone.detail[0], both.detail[1], atol=1e-3)
    with pytest.raises(ValueError, match="n_octaves is 0"):
        dream(network, "Co1", inputs, n_octaves=0, **options)
    with pytest.raises(ValueError, match="sky_sigma is"):
        dream(network, "Co1", inputs, **{**options, "sky_sigma": [1.0]})
