import numpy as np
import pytest

from photoz_morph.photoz.robustness.criteria import Criterion
from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid()


def gaussians(centres, sigma=0.01):
    pdf = np.exp(-0.5 * ((GRID.midpoints - np.asarray(centres)[:, None]) / sigma) ** 2)
    return pdf / pdf.sum(axis=1, keepdims=True)


def test_z_phot_has_moved_where_it_would_be_an_outlier_of_itself():
    criterion = Criterion("z_phot", GRID, np.array([0.1, 0.2]), np.array([0.3, 0.2]))
    # 0.05 (1 + z) is 0.055 at 0.1 and 0.06 at 0.2, to either side; z_spec does not matter.
    index = np.array([0, 0, 0, 1, 1])
    left = criterion.margins(index, gaussians([0.1, 0.154, 0.156, 0.141, 0.139]))
    assert (left < 0).tolist() == [False, False, True, False, True]
    assert left[0] == pytest.approx(0.05, abs=1e-5) and left[3] == pytest.approx(0.05 - 0.059 / 1.2, abs=1e-5)


def test_the_interval_is_off_once_z_spec_is_beyond_an_end_of_it():
    criterion = Criterion("interval", GRID, np.array([0.1]), np.array([0.1]))
    index = np.zeros(4, int)
    # The 84 % quantile of a Gaussian lies 0.9945 sigma above its middle.
    left = criterion.margins(index, gaussians([0.1, 0.1 + 0.0097, 0.1 - 0.0097, 0.1 + 0.0102]))
    assert (left < 0).tolist() == [False, False, False, True]
    assert left[0] == pytest.approx(0.009945 / 1.1, rel=0.02)


def test_galaxies_without_a_pdf_or_off_their_interval_before_are_not_attacked():
    pdf = np.concatenate([gaussians([0.1, 0.1]), np.full((1, GRID.n_bins), np.nan)])
    z_before, z_spec = GRID.expectation(pdf), np.array([0.1, 0.2, 0.1])
    assert Criterion("interval", GRID, z_before, z_spec).applies(pdf).tolist() == [True, False, False]
    assert Criterion("z_phot", GRID, z_before, z_spec).applies(pdf).tolist() == [True, True, False]


def test_the_side_of_a_move_is_none_within_rounding():
    criterion = Criterion("z_phot", GRID, np.array([0.1, 0.2]), np.zeros(2))
    assert criterion.side(np.array([0, 0, 1]), [0.1 + 1e-7, 0.11, 0.19]).tolist() == [0, 1, -1]


def test_an_unknown_criterion_is_refused():
    with pytest.raises(ValueError, match="criterion is 'mode'; choose one of z_phot, interval"):
        Criterion("mode", GRID, np.zeros(1), np.zeros(1))
