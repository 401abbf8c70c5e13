import warnings

import numpy as np

from photoz_morph.report.explanations.filters import (
    feature_map_panels,
    kernel_panels,
    made_panels,
    strongest_panels,
)

RNG = np.random.default_rng(0)


def test_the_strongest_kernels_come_first_with_a_row_for_each_band():
    kernels = RNG.normal(size=(3, 5, 5, 2)) * np.array([1, 9, 3])[:, None, None, None]
    figure = kernel_panels(kernels, ("g", "r"), "layer", n_filters=2)
    assert [axes.get_title() for axes in figure.axes] == ["1", "2", "", ""]
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), kernels[1, ..., 0])


def test_patches_are_three_by_three_above_their_projections():
    patches, projections = RNG.random((2, 9, 4, 4, 3)), RNG.normal(size=(2, 9, 4, 4, 5))
    patches[0, 8, 0] = projections[0, 8, 0] = np.nan  # beyond the edge of a stamp
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = strongest_panels(patches, projections, [3, 7], "layer")
    assert [axes.get_title() for axes in figure.axes[:2]] == ["filter 3", "filter 7"]
    mosaic = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_array_equal(mosaic[10:14, :4], patches[0, 0])  # the strongest at the upper left
    assert np.all(mosaic[0, 10:14] == 1)  # white


def test_maps_that_vary_most_are_shown():
    maps = RNG.normal(size=(4, 4, 40)) * np.arange(40.0) ** 4
    titles = [axes.get_title() for axes in feature_map_panels(maps, "layer", 8).axes]
    assert titles[0] in ("37", "38", "39") and len(titles) == 8


def test_images_and_signed_changes_stand_with_their_targets():
    rows = {"galaxy": [(RNG.random((4, 4, 3)), "0.1")], "change": [(RNG.normal(size=(4, 4)), "")]}
    figure = made_panels(rows, ["galaxy 1"], "mean")
    assert figure.axes[0].get_xlabel() == "0.1"
    low, high = figure.axes[1].images[0].get_clim()
    assert low == -high < 0
