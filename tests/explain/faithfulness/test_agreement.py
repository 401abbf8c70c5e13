import numpy as np
import pytest

from photoz_morph.explain.faithfulness.agreement import mean_correlation, signal_to_noise


def test_members_that_share_a_map_agree_and_members_that_do_not_are_at_nought():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(2, 20, 20, 3))
    like = [shared + 0.1 * rng.normal(size=shared.shape) for _ in range(3)]
    assert (mean_correlation(like) > 0.95).all()
    np.testing.assert_allclose(mean_correlation([rng.normal(size=shared.shape) for _ in range(3)]), 0, atol=0.1)
    half = [np.stack([shared[0], -shared[1]]), shared]
    np.testing.assert_allclose(mean_correlation(half), [1, -1])


def test_signal_to_noise_is_that_of_the_mean_of_the_members():
    members = np.random.default_rng(1).normal(2, 1, size=(400, 1, 3))
    np.testing.assert_allclose(signal_to_noise(members), 40, rtol=0.15)
    constant = np.array([[[0.0, 1.0]], [[0.0, 1.0]]])
    np.testing.assert_array_equal(signal_to_noise(constant), [[0, np.inf]])


@pytest.mark.parametrize("members", [[np.ones((1, 3))], [np.ones((1, 3)), np.ones((1, 4))]])
def test_one_member_or_maps_of_different_shapes_have_no_agreement(members):
    with pytest.raises(ValueError, match="needs two members or more with maps of one shape"):
        mean_correlation(members)
