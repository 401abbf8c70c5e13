from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from photoz_morph.metrics.redshifts.sky_cells import MEAN_COUNT, sky_cells
from photoz_morph.photoz.report.figures.sky import sky_text
from tests.support.redshifts import cap


def test_cell_size_follows_the_number_of_galaxies():
    few, many = (sky_cells(*cap(n), n_shuffles=1) for n in (2000, 32_000))
    assert many.nside == 4 * few.nside  # sixteen times the cells for sixteen times the galaxies
    for cells in (few, many):
        assert MEAN_COUNT < cells.count.mean() < 5 * MEAN_COUNT


def test_means_are_those_of_the_galaxies_in_each_cell():
    ra, dec, values = cap(3000)
    cells = sky_cells(ra, dec, values, n_shuffles=1)
    # Galaxies nearest to a cell's centre by less than a third of its side are inside, whatever its shape.
    sky = SkyCoord(ra, dec, unit="deg")
    assert cells.count.sum() == cells.n == 3000 - cells.n_left_out
    assert np.average(cells.mean, weights=cells.count) == pytest.approx(cells.overall)
    marked = sky.separation(SkyCoord(cells.ra[5], cells.dec[5], unit="deg")).deg < cells.cell_deg / 3
    lifted = sky_cells(ra, dec, np.where(marked, values + 1, values), n_shuffles=1)
    change = (lifted.mean - cells.mean) * cells.count
    assert change[5] == pytest.approx(marked.sum()) and np.abs(np.delete(change, 5)).max() < 1e-9


def test_errors_of_cells_are_right_for_residuals_that_know_no_position():
    ratios = [sky_cells(*cap(3000, seed), n_shuffles=1) for seed in range(20)]
    assert np.mean([cells.chi_square / cells.n_dof for cells in ratios]) == pytest.approx(1, abs=0.12)  # 3 errors


def test_p_values_are_uniform_where_nothing_depends_on_position_outliers_or_not():
    p_values = []
    for seed in range(40):
        ra, dec, values = cap(800, seed)
        values[::300] = 0.3  # catastrophic outliers do not make a cell deviant: shuffled ones are as many
        found = sky_cells(ra, dec, values, n_shuffles=40)
        p_values.append((found.p_value, found.p_extreme))
    assert np.all(np.mean(np.array(p_values) < 0.25, axis=0) < 0.25 + 3 * np.sqrt(0.25 * 0.75 / 40))
    assert np.all(np.mean(np.array(p_values) < 0.25, axis=0) > 0)


def test_copies_at_one_position_do_not_make_a_cell_deviant():
    found, naive = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        group = rng.permutation(np.repeat(np.arange(500), rng.integers(1, 7, 500)))
        ra, dec, shared = (array[group] for array in cap(500, seed))
        values = shared + 0.012 * rng.standard_t(4, len(group))
        cells = sky_cells(ra, dec, values, n_shuffles=40, group_id=group)
        found.append((cells.p_value, cells.p_extreme, cells.chi_square / cells.n_dof))
        naive.append(sky_cells(ra, dec, values, n_shuffles=40).p_value)
    *p_values, ratio = np.array(found).T
    assert np.mean(ratio) == pytest.approx(1, abs=0.12)
    for p_value in p_values:
        assert 0.05 < np.mean(p_value < 0.25) < 0.25 + 3 * np.sqrt(0.25 * 0.75 / 60)
    assert np.mean(np.array(naive) < 0.25) > 0.6


def test_groups_of_one_give_the_same_p_values():
    ra, dec, values = cap(600)
    alone, grouped = (sky_cells(ra, dec, values, 50, group_id=ids) for ids in (None, np.arange(600)[::-1]))
    assert (alone.p_value, alone.p_extreme) == (grouped.p_value, grouped.p_extreme)
    assert np.array_equal(alone.error, grouped.error) and "by shuffling)" in sky_text(grouped)


def test_a_bad_region_is_found_at_its_place():
    ra, dec, values = cap(3000)
    cells = sky_cells(ra, dec, values + 0.03 * ((ra > 180) & (ra < 190) & (dec > 30) & (dec < 40)))
    assert cells.p_value == cells.p_extreme == pytest.approx(1 / 201)
    assert 175 < cells.ra[cells.extreme] < 195 and 25 < cells.dec[cells.extreme] < 45
    assert "depends on position" in sky_text(cells) and "p < 0.005" in sky_text(cells)


def test_a_single_deviant_cell_is_enough_for_the_verdict():
    ra, dec, values = cap(3000)
    cells = sky_cells(ra, dec, values, n_shuffles=200)
    assert "consistent with one value" in sky_text(cells)
    assert "depends on position" in sky_text(replace(cells, p_extreme=1 / 201))


def test_sparse_cells_and_galaxies_without_position_are_left_out_and_counted():
    ra, dec, values = cap(500)
    ra = np.concatenate([ra, [0, 0, np.nan]])
    dec = np.concatenate([dec, [-80, -80, 0]])
    cells = sky_cells(ra, dec, np.concatenate([values, [9, 9, 9]]), n_shuffles=1)
    assert cells.n_left_out >= 3 and np.abs(cells.mean).max() < 0.1 and cells.count.min() >= 10
    with pytest.raises(ValueError, match="not finite"):
        sky_cells([1.0], [1.0], [np.nan])
    with pytest.raises(ValueError, match="no galaxy has a finite ra"):
        sky_cells([np.nan], [1.0], [0.1])
