import numpy as np
import pytest

from photoz_morph.simulation.blends.colours import ELLIPTICAL, IRREGULAR, galaxy_fluxes
from photoz_morph.simulation.morphology.populations import r_flux
from photoz_morph.simulation.populations.stellar_table import (
    _table,
    mass_per_flux,
    population_mags,
    ranges,
    relative_fluxes,
)

# MIUSCAT 9 (Ricciardelli et al. 2012), unimodal IMF of slope 1.3 (Salpeter), [M/H] = 0: log age, g - r, r - i and M_r
# of SDSS for one solar mass at z = 0, AB.
MIUSCAT = [
    (8.0, -0.033, 0.006, 3.114), (9.0, 0.387, 0.187, 4.787), (9.6, 0.735, 0.345, 6.033), (10.0, 0.812, 0.384, 6.819),
]  # fmt: skip


@pytest.mark.parametrize("log_age, g_r, r_i, mag_r", MIUSCAT)
def test_colours_are_those_of_other_models(log_age, g_r, r_i, mag_r):
    """Other isochrones and spectra differ by 0.1 mag (Conroy & Gunn 2010), and z = 0.05 reddens old stars by 0.05."""
    mags = population_mags(log_age, 0.0)
    assert mags[0] - mags[1] == pytest.approx(g_r, abs=0.15)
    assert mags[1] - mags[2] == pytest.approx(r_i, abs=0.12)
    # With fewer dwarfs (Chabrier) a solar mass has 1.5 to 1.8 times the light of Salpeter: 0.45 to 0.65 mag.
    assert mags[1] - mag_r == pytest.approx(-0.55, abs=0.35)


def test_old_and_young_populations_bracket_the_spectra_of_galaxies():
    """Coleman, Wu & Weedman (1980), through the same bands at the same redshift."""

    def g_r(fluxes):
        return -2.5 * np.log10(fluxes[0] / fluxes[1])

    elliptical, irregular = (g_r(galaxy_fluxes(0.05, template, "lsst")) for template in (ELLIPTICAL, IRREGULAR))
    assert g_r(relative_fluxes(population_mags(10.0, 0.1))) == pytest.approx(elliptical, abs=0.1)
    assert g_r(relative_fluxes(population_mags(8.6, 0.0))) == pytest.approx(irregular, abs=0.12)


def test_populations_fade_and_redden_with_age_and_redden_with_metals():
    ages = np.linspace(8.5, 10.1, 9)
    mags = population_mags(ages, 0.0)
    assert (np.diff(mags[:, 1]) > 0).all() and (np.diff(mags[:, 0] - mags[:, 2]) > 0).all()
    poor, rich = population_mags(9.9, -0.4), population_mags(9.9, 0.2)
    assert rich[0] - rich[2] > poor[0] - poor[2] + 0.1


def test_between_the_nodes_magnitudes_are_linear():
    ages, metals, mags = _table()
    np.testing.assert_allclose(population_mags(ages[5], metals[3]), mags[3, 5])
    middle = population_mags((ages[5] + ages[6]) / 2, (metals[3] + metals[4]) / 2)
    np.testing.assert_allclose(middle, mags[3:5, 5:7].mean(axis=(0, 1)))
    (young, old), (poor, rich) = ranges()
    np.testing.assert_allclose(population_mags([young, old], [poor, rich]), mags[[0, -1], [0, -1]])
    assert population_mags(np.full((2, 3), 9.0), 0.0).shape == (2, 3, 3)


def test_a_mass_of_stars_has_the_flux_of_its_magnitude():
    mags = population_mags(9.5, -0.2)
    mass = 1e10
    flux = r_flux(mags[1] - 2.5 * np.log10(mass))  # [nJy] of a galaxy of that absolute magnitude
    assert flux * mass_per_flux(mags) == pytest.approx(mass, rel=2e-3)  # 31.4 is 31.4 to 0.0004 mag
    np.testing.assert_allclose(relative_fluxes(mags), 10 ** (-0.4 * (mags - mags[1])))


def test_ages_and_metallicities_without_models_are_refused():
    with pytest.raises(ValueError, match="log_age is from 5 to 9; the populations are tabulated from 7"):
        population_mags([5.0, 9.0], 0.0)
    with pytest.raises(ValueError, match="metallicity is from 0.9 to 0.9"):
        population_mags(9.0, 0.9)
