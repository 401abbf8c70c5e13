import numpy as np
import pytest

from photoz_morph.simulation.sdss.changes import KnownObject
from photoz_morph.simulation.sdss.sample import simulate_galaxy
from photoz_morph.surveys import SDSS


@pytest.fixture(scope="module")
def objects():
    """The first objects of a seed."""
    return [KnownObject(3 * 10**10 + index) for index in range(12)]


def of_disk(objects):
    disks = [one for one in objects if not one.galaxy.is_early and one.galaxy.axis_ratio > 0.4]
    return min(disks, key=lambda one: one.galaxy.r_e)  # all of its light is in the stamp


def test_an_object_is_that_of_the_sample(objects):
    np.testing.assert_array_equal(objects[4].image, simulate_galaxy(3, 4)[0])


def test_the_light_of_the_neighbours_is_all_that_goes_with_them(objects):
    for one in objects:
        gone = one.image - one.without_neighbours()
        np.testing.assert_allclose(gone, one.neighbours, atol=1e-4 * np.abs(one.image).max())


def test_a_disk_at_its_own_inclination_is_itself_and_keeps_its_light_at_another(objects):
    one = of_disk(objects)
    peak = one.target.max()
    np.testing.assert_allclose(one.inclined(one.galaxy.axis_ratio), one.image, atol=2e-3 * peak)
    edge_on = one.inclined(0.3, with_dust=False) - one.image + one.target
    np.testing.assert_allclose(edge_on.sum(axis=(0, 1)), one.target.sum(axis=(0, 1)), rtol=0.03)  # beyond the stamp
    assert edge_on.max() > one.target.max()  # the same light on a smaller area


def test_the_dust_of_an_inclined_disk_dims_and_reddens_it(objects):
    one = of_disk(objects)
    dusty = (one.inclined(0.3) - one.image + one.target).sum(axis=(0, 1))
    dimming = 2.5 * np.log10(one.target.sum(axis=(0, 1)) / dusty)
    assert np.all(np.diff(dimming) < 0.01) and dimming[0] > dimming[-1] > 0


def test_reddening_follows_the_extinction_of_the_bands(objects):
    one = objects[0]
    change = (one.reddened(0.1) - one.image).sum(axis=(0, 1))
    light = (one.target + one.neighbours).sum(axis=(0, 1))
    expected = 10 ** (-0.04 * np.asarray(SDSS.extinction_per_ebv)) - 1
    np.testing.assert_allclose(change / light, expected, atol=1e-3)


def test_moved_light_moves_by_as_many_pixels(objects):
    one = objects[0]
    moved = one.moved(2.0, -1.0) - one.image + one.target + one.neighbours
    rolled = np.roll(one.target + one.neighbours, (-1, 2), axis=(0, 1))
    inside = slice(8, -8)
    np.testing.assert_allclose(moved[inside, inside], rolled[inside, inside], atol=0.01 * one.target.max())


def test_an_early_type_has_no_inclination(objects):
    one = next(one for one in objects if one.galaxy.is_early)
    with pytest.raises(ValueError, match="only disks are inclined"):
        one.inclined(0.5)
    with pytest.raises(ValueError, match="axis_ratio is 0.1"):
        of_disk(objects).inclined(0.1)
