import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM

from photoz_morph.simulation.morphology.populations import PIXEL_KPC, StellarMaps, r_flux

TNG = FlatLambdaCDM(H0=67.74, Om0=0.3089)


def test_pixel_is_two_tenths_of_an_arcsec_at_redshift_0_05():
    assert PIXEL_KPC == pytest.approx(0.2 / TNG.arcsec_per_kpc_proper(0.05).value, rel=1e-4)


def test_flux_is_that_of_the_apparent_magnitude_at_redshift_0_05():
    magnitude = (-20.4 + TNG.distmod(0.05).value) * u.ABmag
    assert r_flux(-20.4) == pytest.approx(magnitude.to_value(u.nJy), rel=2e-3)  # 3631 Jy, distance modulus to 0.001


def colour(galaxy, blue, red):
    return -2.5 * np.log10(galaxy.band_image(blue).sum() / galaxy.band_image(red).sum())


def test_each_population_has_the_colours_of_its_spectrum():
    light = np.ones((2, 2), np.float32)
    assert colour(StellarMaps({"old": light}), "g", "i") == pytest.approx(1.20, abs=1e-5)
    assert colour(StellarMaps({"young": light}), "g", "i") == pytest.approx(0.25, abs=1e-5)
    both = StellarMaps({"old": light, "young": 3 * light})
    np.testing.assert_allclose(both.band_image("r"), 4, rtol=1e-6)
    assert 0.25 < colour(both, "g", "i") < 1.20


def test_a_screen_of_dust_dims_r_by_its_optical_depth_and_reddens_as_calzetti():
    light = np.ones((2, 2), np.float32)
    galaxy = StellarMaps({"old": light}, dust=np.full((2, 2), 0.5, np.float32))
    np.testing.assert_allclose(galaxy.band_image("r"), np.exp(-0.5), rtol=1e-6)
    reddening = colour(galaxy, "g", "r") - colour(StellarMaps({"old": light}), "g", "r")

    def k(wavelength):  # [um], Calzetti et al. (2000), Eq. 4, shortward and longward of 0.63 um
        if wavelength < 0.63:
            return 2.659 * (-2.156 + 1.509 / wavelength - 0.198 / wavelength**2 + 0.011 / wavelength**3) + 4.05
        return 2.659 * (-1.857 + 1.040 / wavelength) + 4.05

    expected = 2.5 * np.log10(np.e) * 0.5 * (k(0.48) / k(0.62) - 1)
    assert reddening == pytest.approx(expected, rel=0.03)
