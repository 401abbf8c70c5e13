import numpy as np
import pytest

from photoz_morph.simulation.populations.assignment import (
    OLDEST,
    POPULATIONS,
    _patches,
    assign_stars,
    elliptical_radius,
)


def gaussian(side=96, sigma=(16.0, 8.0), angle=0.4):
    y, x = np.indices((side, side)) - (side - 1) / 2
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return np.exp(-0.5 * ((along / sigma[0]) ** 2 + (across / sigma[1]) ** 2))


LIGHT = {name: gaussian() for name in POPULATIONS}


def drawn(n, abs_mag_r=-20.5, light=LIGHT):
    return [assign_stars(light, abs_mag_r, np.random.default_rng([1, index])) for index in range(n)]


def test_radii_are_in_units_of_the_ellipse_with_half_the_light():
    """Of a Gaussian that of 1.177 standard deviations."""
    radius = elliptical_radius(gaussian(193, (16.0, 8.0), 0.0))
    assert radius[96, 96 + 19] == pytest.approx(19 / 18.84, rel=0.03)
    assert radius[96 + 9, 96] == pytest.approx(9 / 9.42, rel=0.03)
    image = gaussian(193, (16.0, 8.0), 1.1)
    assert image[elliptical_radius(image) < 1].sum() == pytest.approx(image.sum() / 2, rel=0.02)


def test_old_stars_are_older_than_young_ones_and_none_is_older_than_the_universe():
    for stars in drawn(30):
        ages = {name: np.median(stars.log_age[name]) for name in POPULATIONS}
        assert ages["old"] > ages["intermediate"] > ages["young"]
        assert all(stars.log_age[name].max() <= OLDEST for name in POPULATIONS)


def test_metallicity_falls_and_age_changes_little_with_radius():
    decades = np.log10(np.clip(elliptical_radius(LIGHT["old"]), 0.1, 4))
    inside = (decades > -0.5) & (decades < 0.5)
    slopes = np.array([[np.polyfit(decades[inside], values["old"][inside], 1)[0]
                        for values in (stars.log_age, stars.metallicity)] for stars in drawn(200)])  # fmt: skip
    age, metallicity = slopes.mean(axis=0)
    assert age == pytest.approx(-0.05, abs=0.025) and metallicity == pytest.approx(-0.18, abs=0.03)
    assert (slopes.std(axis=0) > [0.08, 0.10]).all()  # the scatter of the gradients, and patches


def test_luminous_galaxies_have_more_metals_with_scatter():
    faint, bright = (np.array([np.median(stars.metallicity["old"]) for stars in drawn(100, mag)])
                     for mag in (-18.5, -22.0))  # fmt: skip
    assert bright.mean() - faint.mean() > 0.4
    assert bright.std() == pytest.approx(0.17, abs=0.04)


def test_a_missing_population_leaves_the_others_as_they_are():
    whole = drawn(1)[0]
    light = {name: LIGHT[name] for name in ("old", "young")}
    some = assign_stars(light, -20.5, np.random.default_rng([1, 0]))
    assert set(some.log_age) == {"old", "young"}
    np.testing.assert_allclose(some.log_age["young"], whole.log_age["young"])


def test_patches_have_unit_variance_and_are_smooth():
    fields = np.stack([_patches((64, 64), np.random.default_rng(seed)) for seed in range(200)])
    assert fields.var() == pytest.approx(1, rel=0.05) and abs(fields.mean()) < 0.05
    # exp(-r^2 / (4 sigma^2)) for a kernel of sigma = 5 pixels.
    for shift, expected in ((5, np.exp(-0.25)), (10, np.exp(-1))):
        assert np.mean(fields[:, :, shift:] * fields[:, :, :-shift]) == pytest.approx(expected, abs=0.06)
