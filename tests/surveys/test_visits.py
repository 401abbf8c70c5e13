import numpy as np

from photoz_morph.surveys import LSST


def test_visits_are_spread_evenly_over_the_years():
    np.testing.assert_allclose(LSST.visits(1), [8, 18.4, 18.4])
    np.testing.assert_allclose(LSST.visits(LSST.n_years), LSST.n_visits)
