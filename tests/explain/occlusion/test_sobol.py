import numpy as np

from photoz_morph.explain.occlusion.regions import whole_bands
from photoz_morph.explain.occlusion.sobol import total_sobol_indices
from tests.support.players import WEIGHTS, additive, nothing, ones, product

BANDS = whole_bands((4, 4, 3), ("ebv",))


def test_of_a_sum_the_indices_are_the_shares_of_the_variance():
    weights = np.array([*WEIGHTS, 3])
    found = total_sobol_indices(additive(), ones(), nothing(), BANDS, 256)
    np.testing.assert_allclose(found, np.tile(weights**2 / np.sum(weights**2), (2, 1)), atol=0.03)


def test_of_a_product_each_factor_counts_its_part_in_the_interaction():
    """Variances of u v for uniform u, v: 1/48 each alone, 1/144 together, 7/144 in all."""
    found = total_sobol_indices(product(), ones(), nothing(), BANDS, 512)
    np.testing.assert_allclose(found[0], [4 / 7, 4 / 7, 0, 0], atol=0.03)


def test_a_target_that_does_not_vary_has_no_indices():
    assert np.isnan(total_sobol_indices(additive(), nothing(), nothing(), BANDS, 8)).all()
