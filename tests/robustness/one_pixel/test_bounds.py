import numpy as np
import pytest

from photoz_morph.robustness.one_pixel.bounds import check_bounds, pixel_bounds
from photoz_morph.robustness.perturbations.registry import perturb
from tests.support.perturbations import IDS, SAMPLE, sky_stamps


def test_bounds_of_each_kind():
    data = pixel_bounds("data", [-1, -2], [5, 6])
    assert (data.low.tolist(), data.high.tolist()) == ([-1, -2], [5, 6])
    paper = pixel_bounds("paper", [-1, -2], [5, 6], softening=2.0)
    scaled = (np.arcsinh(np.array([paper.low, [0, 0], paper.high]) / 2) + 1) / 2
    assert np.allclose(scaled, [[0, 0], [0.5, 0.5], [1, 1]])

    class Context:
        sky_sigma, sky_electrons = np.array([2.0, 3]), np.array([100.0, 200])
        njy_per_electron, n_pixels = np.array([0.1, 0.2]), 1

    sigma = pixel_bounds("sigma:10", [0, 0], [1, 1], context=Context)
    assert (sigma.low.tolist(), sigma.high.tolist()) == ([-20, -30], [20, 30])
    electrons = pixel_bounds("electrons:1e4", [0, 0], [1, 1], context=Context)
    assert (electrons.low.tolist(), electrons.high.tolist()) == ([-10, -40], [1000, 2000])


def test_bounds_end_where_the_network_clips_its_images():
    for spec in ("data", "paper"):
        bounds = pixel_bounds(spec, [-1, -9], [50, 2], softening=10.0, visible=(-3.0, 8.5))
        assert (bounds.low.tolist(), bounds.high.tolist()) == (
            ([-1, -3], [8.5, 2]) if spec == "data" else ([-3, -3], [8.5, 8.5])
        )
    with pytest.raises(ValueError, match="bounds data: the network clips its images at -3 and 8.5 and sees"):
        pixel_bounds("data", [9, 10], [20, 30], visible=(-3.0, 8.5))


@pytest.mark.parametrize("spec", ["sigma", "sigma:-1", "sigma:x", "data:3", "all", "electrons:inf"])
def test_bounds_that_are_none(spec):
    with pytest.raises(ValueError, match="give data, paper"):
        pixel_bounds(spec, [0], [1])
    with pytest.raises(ValueError, match="nothing is known of the electrons"):
        pixel_bounds("sigma:3", [0], [1])
    with pytest.raises(ValueError, match="does not have"):
        pixel_bounds("paper", [0], [1])


def test_a_specification_is_a_kind_and_a_number():
    assert check_bounds("data") == ("data", None) and check_bounds("sigma:30") == ("sigma", 30.0)
    assert check_bounds("electrons:1e5") == ("electrons", 1e5)


def test_lowest_value_in_electrons_is_that_of_a_dead_pixel():
    dead = perturb("dead_pixel", sky_stamps(), IDS, 1, SAMPLE)
    low = pixel_bounds("electrons:1", [0] * 3, [1] * 3, context=SAMPLE).low
    galaxy, row, column, band = np.nonzero(dead != sky_stamps())
    np.testing.assert_allclose(dead[galaxy, row, column, band], low[band], rtol=1e-6)
