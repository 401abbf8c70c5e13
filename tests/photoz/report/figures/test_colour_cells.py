import numpy as np
import pytest

from photoz_morph.photoz.evaluation.diagnostics import colour_cells
from photoz_morph.photoz.report.figures.colour_cells import attenuation, cell_maps, has_pdfs
from tests.support.colours import GRID, predictions_with_colours


@pytest.fixture(scope="module")
def found():
    tables = {name: predictions_with_colours(sigma, 2000) for name, sigma in (("network", 0.01), ("k-NN", 0.03))}
    return colour_cells(tables, dict.fromkeys(tables, GRID))


def mesh_of(panel):
    return panel.collections[0]


def test_maps_show_the_numbers_of_each_method_with_colours_about_zero(found):
    figure = cell_maps(found, "toy")
    panels = np.reshape([axes for axes in figure.axes if axes.get_aspect() == 1.0], (2, 4))
    cells = found["cells"]
    assert mesh_of(panels[0, 0]).get_array()[cells["row"][0], cells["column"][0]] == cells["n"][0]
    for row, name in enumerate(("network", "k-NN")):
        for panel, key in zip(panels[row, 1:], ("bias", "slope", "z_phot_slope")):
            mesh, values = mesh_of(panel), np.array(found["methods"][name][key])
            assert mesh.norm.vmin == -mesh.norm.vmax
            shown = mesh.get_array()[found["cells"]["row"], found["cells"]["column"]]
            np.testing.assert_array_equal(shown, values)
            far = np.abs(values) > 2 * np.array(found["methods"][name][f"{key}_error"])
            assert len(panel.lines[0].get_xdata()) == far.sum()
    limits = {mesh_of(panel).norm.vmax for panel in panels[:, 2]}
    assert len(limits) == 1  # methods are compared by colour


def test_blank_cells_have_no_colour(found):
    left_out = {**found, "cells": {name: values[1:] for name, values in found["cells"].items()}}
    left_out["methods"] = {
        name: {key: values[1:] if isinstance(values, list) else values for key, values in method.items()}
        for name, method in found["methods"].items()
    }
    panel = cell_maps(left_out, "toy").axes[0]
    row, column = found["cells"]["row"][0], found["cells"]["column"][0]
    assert mesh_of(panel).get_array().mask[row, column]


def test_attenuation_is_drawn_for_methods_with_pdfs(found):
    axes = attenuation(found, "toy").axes[0]
    names = [container.get_label() for container in axes.containers]
    assert names == ["network", "k-NN"]
    x, y = axes.containers[1].lines[0].get_data()
    np.testing.assert_allclose(x, found["methods"]["k-NN"]["slope_of_pdfs"])
    np.testing.assert_allclose(y, found["methods"]["k-NN"]["slope"])
    nothing = {"methods": {"points": {"slope_of_pdfs": [None]}}}
    assert has_pdfs(found) and not has_pdfs(nothing)
