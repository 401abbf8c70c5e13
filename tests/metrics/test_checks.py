import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.metrics.checks import checked, checked_pair, checked_pdf, is_probability, parent_id, scored_rows
from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid(0.0, 0.4, 4)


def test_values_that_leave_nothing_to_score_are_refused():
    with pytest.raises(ValueError, match="z_spec is empty"):
        checked([], "z_spec")
    with pytest.raises(ValueError, match="z_spec: 2 of 3 values are not finite"):
        checked([0.1, np.nan, np.inf], "z_spec")
    assert checked([1, 2], "z_spec").dtype == float


def test_pdfs_need_the_width_of_the_grid_and_finite_rows():
    with pytest.raises(ValueError, match=r"pdf has shape \(2, 3\), the grid needs \(n, 4\)"):
        checked_pdf(np.full((2, 3), 1 / 3), GRID)
    with pytest.raises(ValueError, match="pdf is empty"):
        checked_pdf(np.empty((0, 4)), GRID)
    with pytest.raises(ValueError, match="1 of 2 rows are not finite"):
        checked_pdf([[0.25] * 4, [np.nan, 0.5, 0.25, 0.25]], GRID)


def test_there_is_one_redshift_for_each_pdf():
    with pytest.raises(ValueError, match=r"z_spec has shape \(3,\), the 2 PDFs need \(2,\)"):
        checked_pair([0.1, 0.2, 0.3], np.full((2, 4), 0.25), GRID)


def test_a_probability_is_not_negative_and_sums_to_one_within_the_tolerance():
    rows = [[0.5, 0.5], [0.5, 0.50009], [0.5, 0.50011], [1.5, -0.5], [np.nan, 1.0], [0.0, 0.0]]
    assert is_probability(rows).tolist() == [True, True, False, False, False, False]
    assert is_probability(np.full((3, 2, 4), 0.25)).shape == (3, 2)


def test_sums_of_many_float32_bins_are_taken_in_double_precision():
    pdf = np.full((1, 100_003), np.float32(1 / 100_003))
    assert is_probability(pdf).all()


def test_flagged_galaxies_and_those_without_redshift_are_not_scored():
    table = Table({"flag": [0, 1, 0], "z_spec": [0.1, 0.2, np.nan]})
    assert scored_rows(table).tolist() == [True, False, False]
    assert not scored_rows(Table({"flag": [0, 0]})).any()


def test_copies_are_recognised_by_group_id_where_there_is_one():
    table = Table({"obj_id": [1, 2, 3], "group_id": [7, 7, 8]})
    assert parent_id(table).tolist() == [7, 7, 8]
    assert parent_id(table["obj_id",]).tolist() == [1, 2, 3]
