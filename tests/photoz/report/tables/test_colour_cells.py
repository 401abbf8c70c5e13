import csv
import io

import pytest

from photoz_morph.photoz.evaluation.diagnostics import colour_cells
from photoz_morph.photoz.report.tables.colour_cells import cell_rows, cells_csv, cells_markdown, cells_text
from tests.support.colours import GRID, predictions_with_colours


@pytest.fixture(scope="module")
def found():
    tables = {"network": predictions_with_colours(0.01, 900, n_without=9)}
    return colour_cells(tables, {"network": GRID})


def test_rows_say_how_many_cells_are_within_and_how_many_would_be(found):
    titles, ((name, *cells),) = cell_rows(found)
    slope = found["methods"]["network"]["at_zero"]["slope"]
    assert name == "network" and len(titles) == len(cells) + 1
    row = dict(zip(titles[1:], cells))
    assert row["slope against z_spec"].startswith(f"{slope['mean']:+.3f} ± ")
    assert f"{slope['n_within']} of {slope['n_cells']} (" in cells[4] and row["by chance"] == "95 %"
    assert row["of the PDFs"].startswith("-0.")


def test_text_counts_what_is_left_out(found):
    text = cells_text(found)
    assert "2 x 2 cells in dereddened u-g, g-r, r-i, i-z; 891 galaxies, 9 have no colours; " in text
    blank = {**found, "n_blank_cells": 2, "n_in_blank_cells": 31}
    assert "2 of fewer than 30 parent galaxies stay blank (31 galaxies)" in cells_text(blank)
    assert "| network | " in cells_markdown(found) and cells_markdown(None) == ""


def test_csv_has_a_line_for_each_cell_and_method(found):
    rows = list(csv.DictReader(io.StringIO(cells_csv(found, "simulated"))))
    assert len(rows) == len(found["cells"]["n"])
    assert float(rows[0]["slope"]) == found["methods"]["network"]["slope"][0]
    assert rows[0]["data"] == "simulated" and int(rows[0]["n"]) == found["cells"]["n"][0]
