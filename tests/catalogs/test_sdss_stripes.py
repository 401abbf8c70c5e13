
import numpy as np
from astropy.coordinates import SkyCoord

from photoz_morph.catalogs.sdss_stripes import survey_coordinates, survey_stripe
from photoz_morph.photoz.evaluation.trials import SUSPECT_ZONE, in_region
from photoz_morph.simulation.sdss.population import Parents


def test_survey_centre_and_the_equator():
    assert np.allclose(survey_coordinates([185.0], [32.5]), 0, atol=1e-9)
    assert list(survey_stripe([185, 185, 0], [0, 32.5, 0])) == [10, 23, 82]


def test_stripe_82_is_one_stripe_from_300_to_60_deg_and_the_southern_ones_are_76_82_86():
    ra = np.r_[300:360:5, 0:61:5]
    assert set(survey_stripe(ra, np.zeros(len(ra)))) == {82}
    assert list(survey_stripe([5, 5, 5], [15.0, 0.0, -10.0])) == [76, 82, 86]


def test_real_galaxies_of_the_south_lie_in_the_three_stripes_sdss_scanned_there():
    parents = Parents()
    south = SkyCoord(parents.ra, parents.dec, unit="deg").galactic.b.deg < 0
    stripes = survey_stripe(parents.ra, parents.dec)
    distance = np.abs(stripes[south, None] - [76, 82, 86]).min(axis=1)
    assert distance.max() <= 1 and np.mean(distance == 0) > 0.85  # scans overlap at the edges of a stripe
    assert stripes[~south].min() == 9 and stripes[~south].max() < 46
    assert in_region(parents.ra, parents.dec, SUSPECT_ZONE).any()


def test_great_circles_of_a_stripe_have_one_eta():
    # Along a great circle of inclination i through (95, 0): Dec = i at RA 185, 0 at RA 95.
    ra = np.linspace(100, 270, 18)
    dec = np.rad2deg(np.arctan(np.tan(np.deg2rad(32.5)) * np.sin(np.deg2rad(ra - 95))))
    _, eta = survey_coordinates(ra, dec)
    assert np.allclose(eta, 0, atol=1e-9)


def test_a_position_that_is_not_finite_is_in_no_stripe():
    assert list(survey_stripe([np.nan, 185, 185], [0, np.inf, 0])) == [-1, -1, 10]
