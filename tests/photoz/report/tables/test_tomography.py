import csv
import io

import pytest

from photoz_morph.photoz.evaluation.diagnostics import tomography
from photoz_morph.photoz.report.tables.tomography import TITLES, bin_rows, bins_csv, bins_markdown, verdict
from tests.support.colours import GRID, predictions_with_colours


@pytest.fixture(scope="module")
def found():
    return tomography(predictions_with_colours(n=600), GRID, 3)


def test_a_row_for_each_bin_and_one_for_all(found):
    rows = bin_rows(found)
    assert [row[0] for row in rows][-1] == "all" and len(rows) == 4 and {len(row) for row in rows} == {len(TITLES)}
    first, numbers = dict(zip(TITLES, rows[0])), found["bins"][0]
    assert first["n"] == "200" and first["mean z_spec"] == f"{numbers['z_spec']:.4f}"
    assert first["stacked PDFs: shift"] == f"{numbers['shift']:+.5f} ± {numbers['shift_error']:.5f}"
    assert first["Wasserstein (noise)"] == f"{numbers['wasserstein']:.5f} ({numbers['wasserstein_noise']:.5f})"


@pytest.mark.parametrize(
    "shift, words",
    [
        (-0.0005, "within the 0.002 of Euclid and the 0.001 of LSST Y10"),
        (0.0015, "within the 0.002 of Euclid, required"),
        (-0.01, "beyond the 0.002 of Euclid and the 0.001 of LSST Y10"),
    ],
)
def test_verdict_compares_the_worst_bin_with_requirements(found, shift, words):
    bins = [{**one, "shift": 0.0001} for one in found["bins"]]
    bins[1]["shift"] = shift
    text = verdict({**found, "bins": bins})
    assert f"at most {shift:+.5f} ± " in text and "in bin 2: " in text and words in text


def test_point_estimates_have_dashes_for_what_needs_pdfs():
    table = predictions_with_colours(n=300)
    table.remove_column("pdf")
    points = tomography(table, None)
    row = dict(zip(TITLES, bin_rows(points)[0]))
    assert row["stacked PDFs: shift"] == row["of PDFs"] == row["CvM (noise)"] == "-" and row["z_phot: shift"] != "-"
    assert "of the point estimates is off" in verdict(points)


def test_requirements_stand_with_their_sources(found):
    text = bins_markdown({"tomography": found, "data": "simulated"})
    assert "| 0.002 (1 + z) | Euclid Collaboration: Ilbert et al. (2021) |" in text and "1809.01669" in text
    assert "**Tomographic bins, simulated galaxies**" in text
    assert bins_markdown({"tomography": None}) == ""


def test_csv_holds_the_numbers(found):
    rows = list(csv.DictReader(io.StringIO(bins_csv(found, "real"))))
    assert [row["bin"] for row in rows] == ["1", "2", "3", "all"] and rows[0]["data"] == "real"
    assert float(rows[2]["kl_noise"]) == found["bins"][2]["kl_noise"]
