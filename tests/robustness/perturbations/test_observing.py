import numpy as np
import pytest

from photoz_morph.mocks.observe import observe
from photoz_morph.robustness.perturbations.observing import galaxy_rngs
from photoz_morph.robustness.perturbations.registry import (
    observing_context,
)
from photoz_morph.surveys import LSST
from tests.support.perturbations import ELECTRONS_PER_NJY, SAMPLE, SUM


def test_electrons_and_sky_of_a_stamp_are_those_of_the_mocks():
    np.testing.assert_allclose(25 / SAMPLE.njy_per_electron, ELECTRONS_PER_NJY, rtol=1e-3)
    assert SAMPLE.pixel_arcsec == pytest.approx(1.0) and SUM.n_pixels == 25
    for context in (SAMPLE, SUM):
        stamp = observe(np.zeros((500, 500, 3)), LSST, [10], np.random.default_rng(1), context.binning)[10]
        np.testing.assert_allclose(stamp.std(axis=(0, 1)), context.sky_sigma, rtol=0.03)  # 10,000 pixels: 0.7 %


def test_stamps_without_a_binning_have_no_electrons():
    assert observing_context({"path": "d", "mocks": {"binning": "sum", "fieldkpc": 100.0}}, "lsst") == SUM
    with pytest.raises(ValueError, match="released: does not say binning and fieldkpc .* `morph mock`"):
        observing_context({"path": "released", "mocks": {}}, "lsst")


def test_random_numbers_belong_to_kind_galaxy_and_seed():
    def first(kind, obj_id, seed):
        return galaxy_rngs(kind, [obj_id], seed)[0].random()

    assert first("psf", 5, 0) == galaxy_rngs("psf", [9, 5], 0)[1].random()
    assert len({first("psf", 5, 0), first("rice", 5, 0), first("psf", 6, 0), first("psf", 5, 1)}) == 4
