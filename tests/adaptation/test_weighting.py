import numpy as np
import pytest

from photoz_morph.adaptation.weighting import EtaBounds, learned_sum


def test_sum_is_that_of_sidda():
    value = float(learned_sum(0.8, 0.3, np.float32([1.5, 0.5])))
    assert value == pytest.approx(0.8 / (2 * 1.5**2) + 0.3 / (2 * 0.5**2) + np.log(1.5 * 0.5), rel=1e-6)


def test_sum_is_least_where_the_square_of_each_eta_is_its_loss():
    best = float(learned_sum(0.8, 0.3, np.sqrt(np.float32([0.8, 0.3]))))
    for factors in ((0.9, 1), (1.1, 1), (1, 0.9), (1, 1.1)):
        assert float(learned_sum(0.8, 0.3, np.sqrt(np.float32([0.8, 0.3])) * np.float32(factors))) > best


@pytest.mark.parametrize(
    ("etas", "bounded"), [((1, 1), (1, 1)), ((-2, 0.5), (1e-3, 0.5)), ((2, 0.1), (2, 0.5)), ((0, 0), (1e-3, 2.5e-4))]
)
def test_bounds_are_those_of_sidda(etas, bounded):
    np.testing.assert_allclose(EtaBounds()(np.float32(etas)), bounded, rtol=1e-6)
