import warnings
from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.photoz.baselines.shapes import crude_shapes, gradient_bands
from photoz_morph.simulation.sdss.population import Component
from photoz_morph.simulation.sdss.renderer import draw_components
from photoz_morph.surveys import SDSS, get_survey

FLUX = np.array([200.0, 800.0, 1500.0, 2000.0, 2500.0])  # [nanomaggy], far above the noise
NAMES = ("ellipticity", "ln_size", "inner", "outer", "g-r", "r-i")


def stamp(radius=2.0, axis_ratio=0.6, n=1.0, angle=0.4, bulge=0.0, noise=0.02, survey=SDSS, seed=0):
    """A disk with a red bulge, seen through the survey's seeing, shape (size, size, n_bands)."""
    red = np.linspace(0, 1, survey.n_bands) * bulge
    flux = np.resize(FLUX, survey.n_bands)
    parts = [Component(flux * (1 - red), n, radius, axis_ratio, angle), Component(flux * red, 2.0, 0.6, 0.8, angle)]
    images = draw_components(parts, survey.psf_fwhm, survey.stamp_size, survey.pixel_scale)
    noise = noise * np.random.default_rng(seed).normal(size=images.shape)
    return np.moveaxis(images + noise, 0, -1)


def shapes(*stamps, survey=SDSS):
    return dict(zip(NAMES, crude_shapes(np.stack(stamps), survey).T))


def test_shapes_order_galaxies_by_what_they_are_named_after():
    round_one, flat = stamp(axis_ratio=0.95), stamp(axis_ratio=0.3)
    assert np.diff(shapes(round_one, flat)["ellipticity"]) > 0.15
    assert np.diff(shapes(stamp(1.2), stamp(4.0))["ln_size"]) > 0.2
    found = shapes(stamp(n=1.0), stamp(n=4.0))
    assert np.diff(found["inner"]) > 0.05 and np.diff(found["outer"]) > 0.02
    found = shapes(stamp(), stamp(bulge=0.5))
    assert np.diff(found["g-r"]) > 0.1 and np.diff(found["r-i"]) > 0.05  # the centre becomes redder than the rest


def test_shapes_do_not_turn_with_the_galaxy_or_scale_with_its_flux():
    for other in (stamp(angle=1.9, seed=1), 7.0 * stamp(seed=2)):
        found = crude_shapes(np.stack([stamp(), other]), SDSS)
        np.testing.assert_allclose(found[0], found[1], atol=0.01)  # the noise, a thousandth of the light, and pixels


def test_a_neighbour_is_seen_as_it_is_in_the_pixels():
    lonely, blended = stamp(), stamp()
    blended[31:34, 38:41] += 30.0  # three times the flux of the galaxy at its side
    found = shapes(lonely, blended)
    assert np.diff(found["ln_size"]) > 0.05 and np.diff(found["outer"]) < -0.05


def test_other_bands_and_sizes_of_stamps():
    legacy = get_survey("legacy")
    found = crude_shapes(stamp(survey=legacy)[None], legacy)
    assert found.shape == (1, 4 + len(gradient_bands(legacy))) and np.isfinite(found).all()
    assert gradient_bands(SDSS) == [1, 2]  # g-r and r-i
    for bands, expected in (("r",), []), (("g", "r"), [0]), (("r", "i", "z"), [0, 1]), (("u", "g", "r"), [0, 1]):
        few = replace(
            SDSS, name="few", bands=bands, psf_fwhm=SDSS.psf_fwhm[: len(bands)], stamp_size=33,
            **{name: getattr(SDSS, name)[: len(bands)] for name in ("extinction_per_ebv", "sky_sigma")},
        )  # fmt: skip
        assert gradient_bands(few) == expected
        assert np.isfinite(crude_shapes(np.ones((2, 33, 33, len(bands))), few)).all()


def test_stamps_without_light_or_pixels_warn_of_nothing():
    empty, dead, holed = np.zeros(SDSS.image_shape), np.full(SDSS.image_shape, -1.0), stamp()
    holed[:, :, 1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = crude_shapes(np.stack([empty, dead, holed, stamp()]), SDSS)
    assert np.isfinite(found[[0, 1, 3]]).all() and np.isnan(found[2]).any()


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_unit_does_not_matter(scale):
    np.testing.assert_allclose(crude_shapes(scale * stamp()[None], SDSS), crude_shapes(stamp()[None], SDSS), atol=2e-3)
