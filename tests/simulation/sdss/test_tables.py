"""The shipped tables against what README.md beside them says."""

import numpy as np
import pytest
from scipy.special import gammaincinv

from photoz_morph.simulation.sdss.tables import load_table
from photoz_morph.surveys import SDSS


def test_templates_have_unit_r_flux_at_redshift_zero():
    sed = load_table("sed_table.npz")
    assert sed["maggies"].shape == (181, 5, 5) and (sed["z"][0], sed["z"][-1]) == (0, pytest.approx(0.45))
    np.testing.assert_allclose(sed["maggies"][0, :, SDSS.bands.index("r")], 1, rtol=1e-3)


def test_parents_are_main_sample_galaxies_and_occur_once():
    parents = load_table("mgs_parents.npz")
    assert len(parents["z"]) == len(np.unique(parents["parent_id"])) == 9803
    assert parents["z"].max() <= 0.4 and parents["petro_r"].max() <= 17.8
    assert np.all(parents["fraction"] >= 0)


def test_sersic_transforms_are_the_analytic_ones_of_a_gaussian_and_an_exponential():
    """n = 1/2 is a Gaussian, n = 1 has (1 + k^2 r_d^2)^(-3/2); both with half the light within R_e."""
    table = load_table("sersic_fourier.npz")
    kr = np.exp(table["ln_kr"].astype(float))
    gaussian = np.exp(-(kr**2) / (4 * np.log(2)))
    exponential = (1 + (kr / gammaincinv(2, 0.5)) ** 2) ** -1.5
    for n, expected in ((0.5, gaussian), (1.0, exponential)):
        transform = table["transform"][np.argmin(np.abs(table["n"] - n))]
        np.testing.assert_allclose(transform, expected, atol=2e-3)
