import numpy as np

from photoz_morph.explain.occlusion.lime import lime
from photoz_morph.explain.occlusion.regions import whole_bands
from tests.support.players import WEIGHTS, additive, nothing, ones

BANDS = whole_bands((4, 4, 3), ("ebv",))


def test_of_a_sum_the_weights_are_its_terms():
    found = lime(additive(), ones(), nothing(), BANDS, 400, ridge=1e-6)
    np.testing.assert_allclose(found, np.outer([1, 2], [*WEIGHTS, 3]), rtol=1e-3)


def test_the_penalty_does_not_depend_on_the_unit_of_the_target():
    found = lime(additive(), ones(), nothing(), BANDS, 400, ridge=10.0)
    np.testing.assert_allclose(found[1], 2 * found[0], rtol=1e-3)
    assert 0 < found[0, 3] < 2.95
