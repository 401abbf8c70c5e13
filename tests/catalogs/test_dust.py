"""Reddening of the shipped map against published values and the SDSS catalogue."""


import numpy as np
import pytest

from photoz_morph.catalogs.dust import sfd_ebv
from tests.support.paths import SHARED_DATA

GST10K = SHARED_DATA / "sdss_gst10k" / "gst10k.npz"


@pytest.mark.skipif(not GST10K.is_file(), reason=f"no catalogue of 10,000 SDSS galaxies at {GST10K}")
def test_map_agrees_with_the_extinction_in_the_sdss_catalogue():
    galaxies = np.load(GST10K)
    ebv = sfd_ebv(galaxies["ra"], galaxies["dec"])
    sdss = galaxies["extinction"][:, 2] / 2.751  # A_r / E(B-V) of Schlegel et al. (1998)
    assert np.corrcoef(ebv, sdss)[0, 1] > 0.95
    assert np.median(ebv / sdss) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "place, ra, dec, expected",
    [
        # Full-resolution SFD98 values of the cosmological deep fields, which lie where dust is smooth.
        ("Hubble Deep Field North", 189.21, 62.22, 0.012),
        ("Chandra Deep Field South", 53.12, -27.80, 0.008),
        ("COSMOS", 150.12, 2.21, 0.018),
        ("Lockman Hole", 161.25, 58.00, 0.008),
    ],
)
def test_deep_fields_have_their_published_reddening(place, ra, dec, expected):
    assert sfd_ebv(ra, dec) == pytest.approx(expected, abs=0.004), place


def test_galactic_plane_is_dusty_and_the_poles_are_not():
    centre, north_pole, south_pole = sfd_ebv([266.405, 192.859, 12.859], [-28.936, 27.128, -27.128])
    assert centre > 10 and north_pole < 0.03 and south_pole < 0.03


def test_reddening_is_continuous_across_ra_zero():
    below, above = sfd_ebv([359.9999, 0.0001], [-0.5, -0.5])
    assert below == pytest.approx(above, rel=1e-3)


def test_position_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="needs finite positions"):
        sfd_ebv([10.0, np.nan], [0.0, 0.0])
