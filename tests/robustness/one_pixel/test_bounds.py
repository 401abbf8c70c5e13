import numpy as np
import pytest

from photoz_morph.robustness.one_pixel.bounds import pixel_bounds


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


@pytest.mark.parametrize("spec", ["sigma", "sigma:-1", "sigma:x", "data:3", "all", "electrons:inf"])
def test_bounds_that_are_none(spec):
    with pytest.raises(ValueError, match="give data, paper"):
        pixel_bounds(spec, [0], [1])
    with pytest.raises(ValueError, match="nothing is known of the electrons"):
        pixel_bounds("sigma:3", [0], [1])
    with pytest.raises(ValueError, match="does not have"):
        pixel_bounds("paper", [0], [1])
