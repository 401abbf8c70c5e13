"""The simulated population against the real galaxies it comes from, and what galaxies of one parent share."""

from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.simulation.sdss import population
from photoz_morph.simulation.sdss.population import Parents, draw_galaxy
from photoz_morph.simulation.sdss.renderer import draw_components
from photoz_morph.simulation.sdss.tables import load_table
from photoz_morph.surveys import SDSS

N_GALAXIES = 8000


@pytest.fixture(scope="module")
def parents():
    return Parents()


@pytest.fixture(scope="module")
def galaxies(parents):
    return [draw_galaxy(parents, np.random.default_rng([11, i])) for i in range(N_GALAXIES)]


def column(galaxies, name):
    return np.array([getattr(galaxy, name) for galaxy in galaxies])


def colours(magnitudes):
    return magnitudes[:, :-1] - magnitudes[:, 1:]


def dereddened(galaxies):
    return column(galaxies, "true_mags") - column(galaxies, "true_ebv")[:, None] * np.array(SDSS.extinction_per_ebv)


def test_a_galaxy_depends_on_no_real_galaxy_but_its_parent(parents, monkeypatch):
    """What two galaxies have in common is their parent, so resampling `group_id` resamples independent galaxies."""
    n_parents = len(parents.z)
    at_once = 0  # galaxies whose first candidate is accepted: other parents had no say in the rejections
    for index in range(12):
        stream = [11, index]
        galaxy = draw_galaxy(parents, np.random.default_rng(stream))
        row = np.random.default_rng(stream).integers(n_parents)
        if parents.parent_id[row] != galaxy.parent_id:
            continue
        at_once += 1
        with monkeypatch.context() as patch:
            for name in ("z", "abs_mag_r", "ebv", "ra", "dec", "fraction"):
                changed = np.roll(getattr(parents, name), 1, axis=0)
                changed[row] = getattr(parents, name)[row]
                patch.setattr(parents, name, changed)
            same = draw_galaxy(parents, np.random.default_rng(stream))
        for name in ("parent_id", "ra", "dec", "z", "ebv", "abs_mag_r", "petro_r", "r_e", "axis_ratio"):
            assert getattr(same, name) == getattr(galaxy, name), name
        np.testing.assert_array_equal(same.true_mags, galaxy.true_mags)
    assert at_once >= 4


def test_every_galaxy_resembles_its_parent(parents, galaxies):
    row = np.searchsorted(parents.parent_id, column(galaxies, "parent_id"))
    np.testing.assert_array_equal(parents.parent_id[row], column(galaxies, "parent_id"))
    ln_z = np.log(column(galaxies, "z") / parents.z[row])
    abs_mag_r = column(galaxies, "abs_mag_r") - parents.abs_mag_r[row]
    # The magnitude limit prefers the nearer and the brighter by less than half a kernel.
    assert abs(ln_z.mean()) < 0.02 and ln_z.std() == pytest.approx(0.04, rel=0.1)
    assert abs(abs_mag_r.mean()) < 0.05 and abs_mag_r.std() == pytest.approx(0.10, rel=0.1)


def test_no_galaxy_is_a_copy_of_a_parent(parents, galaxies):
    real = set(zip(parents.z, parents.abs_mag_r))
    assert not real.intersection(zip(column(galaxies, "z"), column(galaxies, "abs_mag_r")))


def test_the_sample_keeps_to_its_limits(galaxies):
    assert column(galaxies, "petro_r").max() <= 17.8
    assert column(galaxies, "z").max() <= 0.4


def test_redshifts_and_magnitudes_are_distributed_like_the_real_ones(galaxies):
    real = load_table("mgs_parents.npz")
    percentiles = (5, 16, 50, 84, 95)
    # Sampling error of the 95th percentile is 0.002 for 8,000 and 10,000 objects; the magnitude limit costs the
    # bootstrap a few of the farthest.
    np.testing.assert_allclose(
        np.percentile(column(galaxies, "z"), percentiles), np.percentile(real["z"], percentiles), atol=0.006
    )
    np.testing.assert_allclose(
        np.percentile(column(galaxies, "petro_r"), percentiles), np.percentile(real["petro_r"], percentiles), atol=0.12
    )


@pytest.mark.parametrize("z", [0.02, 0.06, 0.10, 0.18, 0.26])
def test_colours_follow_the_real_loci_with_redshift(galaxies, z):
    real = load_table("mgs_parents.npz")
    theirs = np.percentile(real["colour"][np.abs(real["z"] - z) < 0.015], (16, 50, 84), axis=0)
    near = [galaxy for galaxy in galaxies if abs(galaxy.z - z) < 0.015]
    ours = np.percentile(colours(dereddened(near)), (16, 50, 84), axis=0)
    np.testing.assert_allclose(ours[:, 1:], theirs[:, 1:], atol=0.05)
    # The real u - g is spread by photon noise, which true magnitudes lack: compare medians, where u is well measured
    # (the median is biased by 0.1 at z = 0.18 and beyond, where faint u fluxes scatter by 0.3 mag).
    assert abs(ours[1, 0] - theirs[1, 0]) < (0.06 if z < 0.15 else 0.12)


def test_passive_galaxies_redden_as_the_4000_angstrom_break_crosses_g(parents):
    old = parents.template_flux(np.array([0.02, 0.1, 0.2, 0.35]))[:, 3]
    g_r = -2.5 * np.log10(old[:, 1] / old[:, 2])
    assert np.all(np.diff(g_r) > 0.1) and g_r[-1] - g_r[0] > 0.7


def test_absolute_and_apparent_magnitudes_of_the_parents_agree(parents):
    petro_r = load_table("mgs_parents.npz")["petro_r"]
    k_flux = np.einsum("nk,nk->n", parents.fraction, parents.template_flux(parents.z)[:, :, 2])
    apparent = parents.abs_mag_r + population.COSMOLOGY.distmod(parents.z).value - 2.5 * np.log10(k_flux)
    # Rounded to 2^-11 mag in the table; z to 4e-6, which at z = 0.01 is 1e-3 mag.
    np.testing.assert_allclose(apparent, petro_r, atol=0.003)


def light(galaxy):
    """Flux of all the parts of a galaxy, shape (n_bands,)."""
    return sum(component.flux for component in galaxy.components) + (galaxy.clumps.flux if galaxy.clumps else 0)


def test_components_add_up_to_the_total(galaxies):
    total = np.array([light(galaxy) for galaxy in galaxies])
    np.testing.assert_allclose(SDSS.zero_point - 2.5 * np.log10(total), column(galaxies, "true_mags"), atol=1e-9)
    assert min(component.flux.min() for galaxy in galaxies for component in galaxy.components) >= 0


def test_true_galactic_dust_dims_each_band_by_its_coefficient(galaxies, parents, monkeypatch):
    dusty = next(i for i, galaxy in enumerate(galaxies) if 0.08 < galaxy.ebv > galaxy.true_ebv)
    monkeypatch.setattr(parents, "ebv", np.zeros_like(parents.ebv))
    clear = draw_galaxy(parents, np.random.default_rng([11, dusty]))
    galaxy, extinction = galaxies[dusty], np.array([5.155, 3.793, 2.751, 2.086, 1.479])
    # Schlegel et al. (1998) as SDSS uses them, u to z.
    np.testing.assert_allclose(galaxy.true_mags - clear.true_mags, galaxy.true_ebv * extinction, atol=1e-9)
    # The survey corrects for the dust of its map.
    assert galaxy.petro_r == pytest.approx(clear.petro_r + (galaxy.true_ebv - galaxy.ebv) * 2.751, abs=1e-9)
    assert galaxy.petro_r == pytest.approx(galaxy.true_mags[2] - galaxy.ebv * 2.751, abs=1e-9)


def test_the_dust_map_is_off_by_its_published_error(galaxies):
    error = np.log(column(galaxies, "true_ebv") / column(galaxies, "ebv"))
    # 16 % (Schlegel et al. 1998) and 4 % within its beam; the magnitude limit prefers the less dusty a little.
    assert error.std() == pytest.approx(np.hypot(0.16, 0.04), rel=0.05) and abs(error.mean()) < 0.02


def test_bulges_are_redder_than_disks(galaxies):
    late = [galaxy for galaxy in galaxies if not galaxy.is_early and galaxy.bulge_to_total > 0.05]
    flux = np.array([[galaxy.components[0].flux, galaxy.components[-1].flux] for galaxy in late])
    g_r = -2.5 * np.log10(flux[:, :, 1] / flux[:, :, 2])
    assert 0.05 < np.median(g_r[:, 0] - g_r[:, 1]) < 0.20


def test_early_types_have_the_colour_gradients_of_the_literature(galaxies):
    """Peletier et al. (1990): d(B-R) / d log r = -0.09 and d(U-R) / d log r = -0.20; g-r is about two thirds of B-R."""
    slopes = []
    for galaxy in [galaxy for galaxy in galaxies if galaxy.is_early][:200]:
        # Seen with hardly any seeing, R_e being 20 pixels.
        parts = [replace(c, half_light_radius=c.half_light_radius / galaxy.r_e * 8) for c in galaxy.components]
        image = draw_components(parts, [0.8] * 5, 64, 0.4, n_grid=256)
        y, x = np.indices((64, 64)) - 31.5
        angle = galaxy.components[0].angle
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        radius = np.hypot(along, across / galaxy.axis_ratio) / 20
        edges = 10 ** np.linspace(-0.8, 0.1, 6)
        rings = [(radius >= low) & (radius < high) for low, high in zip(edges[:-1], edges[1:])]
        magnitude = -2.5 * np.log10([[band[ring].mean() for ring in rings] for band in image])
        log_r = np.log10(np.sqrt(edges[1:] * edges[:-1]))
        slopes.append([np.polyfit(log_r, magnitude[i] - magnitude[2], 1)[0] for i in (0, 1)])
    np.testing.assert_allclose(np.median(slopes, axis=0), [-0.20, -0.06], atol=0.03)


def test_edge_on_disks_are_redder_and_dimmer_at_fixed_stellar_light(galaxies):
    late = [galaxy for galaxy in galaxies if not galaxy.is_early and 0.07 < galaxy.z < 0.13]
    g_r = -np.diff(dereddened(late), axis=1)[:, 1]
    q = column(late, "axis_ratio")
    assert np.median(g_r[q < 0.3]) > np.median(g_r[q > 0.8]) + 0.03


def test_early_types_are_the_larger_the_more_luminous(galaxies):
    early = [galaxy for galaxy in galaxies if galaxy.is_early]
    # At z = 0.1: at a mass they shrink with redshift (van der Wel et al. 2014).
    z = column(early, "z")
    kpc = column(early, "r_e") / population.distances(z)[1] * ((1 + z) / 1.1) ** 1.48
    slope = np.polyfit(column(early, "abs_mag_r"), np.log10(kpc), 1)[0]
    # R ~ M^0.56 (Shen et al. 2003) and M ~ 10^(-0.4 M_r) at one colour.
    assert slope == pytest.approx(-0.4 * 0.56, abs=0.03)


def test_sizes_on_the_sky_are_those_of_the_main_sample(galaxies):
    r_e = np.percentile(column(galaxies, "r_e"), (5, 50, 95))
    # Petrosian radii 2.8, 5.2, 11.3 arcsec at 5, 50, 95 % in SDSS DR7, about 2.2 half-light radii; seeing widens the
    # smallest, and the sky subtracted around the largest narrows them.
    np.testing.assert_allclose(r_e, np.array([2.8, 5.2, 11.3]) / 2.2, rtol=0.18)


def test_open_disks_have_arms_bluer_than_the_disk_at_any_redshift_and_no_other_galaxy_has(galaxies):
    early, z, q, r_e = (column(galaxies, name) for name in ("is_early", "z", "axis_ratio", "r_e"))
    has_arms = np.array([galaxy.arms is not None for galaxy in galaxies])
    # 0.685 R_e is the scale length of the disk.
    np.testing.assert_array_equal(has_arms, ~early & (q >= 0.3) & (r_e * 1.15 / 1.67834699 >= 0.6))
    assert has_arms[z > 0.08].sum() > 500
    arms = [galaxy.arms for galaxy in galaxies if galaxy.arms is not None]
    amplitude = np.array([arm.amplitude for arm in arms])
    assert (np.diff(amplitude, axis=1) < 0).all()
    assert amplitude[:, 2].min() > 0.15 and amplitude[:, 2].max() < 0.6  # Rix & Zaritsky (1995)
    pitch = np.degrees([arm.pitch for arm in arms])
    assert (np.abs(pitch) >= 12).all() and (np.abs(pitch) <= 28).all() and 0.45 < np.mean(pitch > 0) < 0.55
    assert np.mean([arm.number == 2 for arm in arms]) == pytest.approx(0.6, abs=0.04)  # Hart et al. (2016)


def test_bars_are_as_frequent_as_in_galaxy_zoo(galaxies):
    late = [galaxy for galaxy in galaxies if not galaxy.is_early]
    barred = [galaxy for galaxy in late if len(galaxy.components) == 3]
    assert len(barred) / len(late) == pytest.approx(0.29, abs=0.03)  # Masters et al. (2011)
    share = [galaxy.components[1].flux[2] / light(galaxy)[2] for galaxy in barred]
    assert np.median(share) == pytest.approx(0.10, abs=0.02)  # Gadotti (2011)
