from pathlib import Path

import galsim
import numpy as np
import pytest

from photoz_morph.simulation.blends.colours import galaxy_fluxes, population_fluxes, star_magnitudes

FILES = ("CWW_E_ext.sed", "CWW_Sbc_ext.sed", "CWW_Scd_ext.sed", "CWW_Im_ext.sed")


@pytest.mark.parametrize("redshift", [0.0, 0.37, 1.2, 2.9])
@pytest.mark.parametrize("template", range(4))
def test_colours_are_those_galsim_gives_the_redshifted_template(redshift, template):
    share = Path(galsim.meta_data.share_dir)
    spectrum = galsim.SED(str(share / "SEDs" / FILES[template]), "Ang", "flambda").atRedshift(redshift)
    bands = [galsim.Bandpass(str(share / "bandpasses" / f"LSST_{b}.dat"), "nm").withZeropoint("AB") for b in "gri"]
    g, r, i = (spectrum.calculateMagnitude(band) for band in bands)
    found = -2.5 * np.log10(galaxy_fluxes(redshift, template, "lsst"))
    np.testing.assert_allclose(found, [g - i, r - i, 0], atol=0.01)  # 2 Angstrom steps; the file is thinned to 1e-3


def test_between_templates_and_redshifts_fluxes_are_linear():
    corners = [galaxy_fluxes(z, t, "sdss") for z in (0.50, 0.51) for t in (1, 2)]
    between = galaxy_fluxes(np.array([0.505]), np.array([1.5]), "sdss")
    np.testing.assert_allclose(between, np.mean(corners, axis=0)[None], rtol=1e-6)


def test_old_stars_are_redder_than_young_ones():
    old, intermediate, young = population_fluxes(0.4, "lsst")
    assert old[0] < intermediate[0] < young[0] and old[2] == young[2] == 1


def test_a_star_in_the_middle_of_the_locus_has_published_colours():
    g, r, i = star_magnitudes(20.0, 0.5)
    assert r == 20.0 and g - i == pytest.approx(1.35, abs=0.01)
    assert r - i == pytest.approx(0.36, abs=0.1)  # Covey et al. (2007), Table 3, at g - i = 1.35


def test_values_beyond_the_table_are_named():
    with pytest.raises(ValueError, match=r"redshift is \[3.2\]; the templates are tabulated from 0 to 3"):
        galaxy_fluxes(3.2, 0, "lsst")
    with pytest.raises(ValueError, match=r"template is \[4.\]; give 0"):
        galaxy_fluxes(1.0, 4, "lsst")
