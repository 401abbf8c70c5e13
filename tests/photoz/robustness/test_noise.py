from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.photoz.robustness.noise import check_noise, stack_noise
from photoz_morph.surveys import SDSS

IDS = {"obj_id": np.arange(2)}


def test_a_stack_of_more_exposures_has_more_electrons_and_less_noise():
    columns = IDS | {"n_frames": np.array([[1.0] * 5, [4.0] * 5])}
    noise = stack_noise(SDSS, columns)
    assert np.allclose(noise.electrons_per_unit, np.outer([1, 4], SDSS.gain))
    assert np.allclose(noise.sky_sigma, np.outer([1, 0.5], SDSS.sky_sigma))
    # 21.8 mag/arcsec^2 in pixels of 0.396 arcsec: 10^(-0.4 (21.8 - 22.5)) 0.396^2 nanomaggies.
    assert noise.sky[:, 1] == pytest.approx(0.299, abs=1e-3)
    assert np.allclose(noise.per_unit("sigma"), 1 / noise.sky_sigma) and noise.rows(1).sky_sigma.shape == (5,)


def test_the_noise_of_a_galaxy_is_its_own_where_it_is_known():
    measured = np.array([[np.nan, 0.01, 0.01, 0.01, 0.0]] * 2)
    noise = stack_noise(SDSS, IDS | {"sky_sigma": measured, "n_frames": np.full((2, 5), np.nan)})
    assert noise.sky_sigma[0].tolist() == [SDSS.sky_sigma[0], 0.01, 0.01, 0.01, SDSS.sky_sigma[4]]
    assert np.allclose(noise.electrons_per_unit, SDSS.gain)  # a single exposure, if nothing is known


def test_a_survey_that_does_not_say_what_a_measure_needs_is_refused():
    bare = replace(SDSS, gain=None, sky_sigma=None, sky_brightness=None)
    noise = stack_noise(bare, IDS)
    assert np.isnan(noise.sky).all()
    with pytest.raises(ValueError, match="its description has no gain; add it there, or take --measure sigma"):
        check_noise(noise, bare, "electrons", False)
    for measure, is_unseen in (("sigma", False), ("electrons", True)):
        with pytest.raises(ValueError, match="has no (sky_sigma|gain); add it there"):
            check_noise(noise, bare, measure, is_unseen)
    check_noise(stack_noise(SDSS, IDS), SDSS, "electrons", True)
