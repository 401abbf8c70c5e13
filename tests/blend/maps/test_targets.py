import numpy as np
import pytest

from photoz_morph.blend.maps.targets import UNITS, counted_pixels, evaluate_maps, map_targets, maps_of_outputs
from photoz_morph.simulation.populations.maps import MAPS, surface_brightness


def test_the_maps_are_those_of_the_simulation():
    assert tuple(UNITS) == MAPS


def test_pixels_count_to_the_surface_brightness():
    flux = np.geomspace(1e-3, 1e3, 50)
    expected = surface_brightness(flux, 31.4, 0.4) < 25
    np.testing.assert_array_equal(counted_pixels(flux, 31.4, 0.4), expected)
    assert 0 < expected.sum() < 50


def test_targets_come_back_in_their_units_and_are_unknown_elsewhere():
    maps = np.random.default_rng(1).normal(5, 1, (2, 3, 3, 4)).astype(np.float32)
    inside = np.ones((2, 3, 3), bool)
    inside[1, 2] = False
    targets = map_targets(maps, inside)
    assert np.isnan(targets[1, 2]).all() and targets.dtype == np.float32
    np.testing.assert_allclose(maps_of_outputs(targets)[inside], maps[inside], rtol=1e-5)
    assert map_targets(np.array([7.7, 9.6, -0.2, 0.1]).reshape(1, 1, 1, 4), np.ones((1, 1, 1))).ravel() == (
        pytest.approx(np.zeros(4), abs=1e-5)  # float32 of 9.6
    )


def test_scores_have_the_names_of_the_maps():
    maps = np.random.default_rng(1).normal(size=(5, 4, 4, 4))
    scores = evaluate_maps(maps, maps + 0.1, np.ones((5, 4, 4), bool), np.arange(5), 20)
    assert tuple(scores) == MAPS and scores["age"]["bias"][0] == pytest.approx(0.1)
