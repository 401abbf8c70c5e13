"""The operations of the exported model against those on arrays."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from photoz_morph.photoz.calibration.calibrator import Calibrator, fit_calibrator
from photoz_morph.photoz.calibration.files import FoldCalibration
from photoz_morph.photoz.calibration.graph import calibrated_outputs, calibrated_pdf, pixel_bits
from photoz_morph.photoz.calibration.pit_map import PitMap
from photoz_morph.photoz.calibration.quality import BITS, fit_latent_limit, fit_quality_limits
from photoz_morph.photoz.calibration.quality import pixel_bits as pixel_bits_of_arrays
from photoz_morph.photoz.calibration.redshift_distribution import reweighted
from photoz_morph.photoz.export import point_estimates, quantile
from tests.support.miscalibrated import GRID, planted

MAPS = {
    "none": PitMap(),
    "global": PitMap("global", ((0.3,), (-0.2,), (0.1,))),
    "local": PitMap("local", ((0.2, 0.1, -0.1, 0.3), (0.0, 0.2, 0.1, -0.2), (-0.2, 0.0, 0.1, 0.1)), (0.2, -4.5),
                    (0.06, 0.3)),
}  # fmt: skip


def members(n=300):
    """PDFs of three members that differ, some with exact zeros and several peaks."""
    _, pdf = planted(n)
    rng = np.random.default_rng(3)
    pdf = pdf * np.exp(0.3 * rng.normal(size=(3, n, 180)))
    pdf[:, : n // 3] *= rng.random((3, n // 3, 180)) < 0.7
    pdf[:, : n // 6] += 0.3 * np.roll(pdf[:, : n // 6], 60, axis=2)
    return (pdf / pdf.sum(axis=2, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("pooling", ["arithmetic", "geometric", "harmonic"])
def test_calibrated_pdfs_are_those_of_arrays(pooling, kind):
    calibrator = Calibrator(pooling, 1.2, MAPS[kind])
    member_pdf = members()
    found = np.asarray(calibrated_pdf(member_pdf, calibrator, GRID))
    np.testing.assert_allclose(GRID.cdf(found), GRID.cdf(calibrator.pdf(member_pdf, GRID)), atol=2e-5)


def test_the_far_wings_of_a_pdf_are_not_rounded_away():
    pdf = np.diff(norm.cdf((GRID.edges - 0.2) / 0.03))[None].astype(np.float32)
    calibrator = Calibrator(pit_map=MAPS["global"])
    found, expected = np.asarray(calibrated_pdf(pdf[None], calibrator, GRID)), calibrator.pdf(pdf, GRID)
    shown = expected > 1e-9
    np.testing.assert_allclose(found[shown], expected[shown], rtol=1e-3)


def test_pixels_set_the_bits_that_they_set_in_arrays():
    rng = np.random.default_rng(1)
    images = rng.normal(size=(40, 12, 12, 3)).astype(np.float32)
    for image in images[5:]:
        for _ in range(2):
            rows, columns = rng.integers(0, 12, 2), rng.integers(0, 12, 2)
            where = [slice(None), slice(0, 1), slice(11, 12), slice(*sorted(rows)), slice(*sorted(columns))]
            place = where[rng.integers(5)], where[rng.integers(5)], rng.integers(3)
            image[place] = rng.choice([0, 2.5, np.nan, np.inf])
    expected = pixel_bits_of_arrays(images)
    np.testing.assert_array_equal(np.asarray(pixel_bits(images)), expected)
    assert all((expected & BITS[name]).any() for name in ("blank_band", "bad_pixels", "frame_edge"))


@pytest.fixture(scope="module")
def calibration():
    z_spec, pdf = planted(400, "shifted by z")
    calibrator, _, cross_fitted = fit_calibrator(pdf, z_spec, GRID)
    latents = np.random.default_rng(2).normal(size=(3, 400, 10))
    limits = fit_quality_limits(calibrator.pdf(pdf, GRID), *fit_latent_limit(latents, latents[:, :300]), GRID)
    return FoldCalibration(calibrator, limits, np.ones(180), cross_fitted, z_spec, {})


@pytest.mark.parametrize("weights", [None, np.linspace(0.2, 2, 180)])
def test_all_outputs_are_those_of_arrays(calibration, weights):
    pdf, latents = members(), 2 * np.random.default_rng(4).normal(size=(3, 300, 10)).astype(np.float32)
    images = np.random.default_rng(5).normal(size=(300, 8, 8, 2)).astype(np.float32)
    ebv = np.zeros(300)
    images[7, 0, 0, 0], ebv[8], pdf[1, 9] = np.nan, np.nan, np.nan
    answers = {"image": images, "ebv": ebv} | {f"pdf_{index}": values for index, values in enumerate(pdf)}
    answers |= {f"latent_{index}": values for index, values in enumerate(latents)}
    found = calibrated_outputs(
        {name: tf.constant(values, tf.float32) for name, values in answers.items()},
        calibration, GRID, partial(point_estimates, grid=GRID), partial(quantile, grid=GRID), weights,
    )  # fmt: skip
    found = {name: np.asarray(values) for name, values in found.items()}
    expected = calibration.calibrator.pdf(pdf, GRID)
    if weights is not None:
        expected = reweighted(expected, weights)
    good = ~np.isin(np.arange(300), [7, 8, 9])
    np.testing.assert_allclose(GRID.cdf(found["pdf"][good]), GRID.cdf(expected[good]), atol=2e-5)
    np.testing.assert_allclose(found["z_phot"][good], GRID.expectation(expected[good]), atol=1e-5)
    for level, radius in calibration.calibrator.radii.items():
        for end, probability in (("lower", 0.5 - radius), ("upper", 0.5 + radius)):
            bound = found[f"z_{end}_{100 * level:g}"][good]
            np.testing.assert_allclose(GRID.cdf_at(expected[good], bound), probability, atol=2e-4)
    score = calibration.quality.ood_score(latents)
    np.testing.assert_allclose(found["ood_score"][good], score[good], rtol=1e-4)
    bits = calibration.quality.bits(np.where(good[:, None], expected, np.nan), score, GRID)
    np.testing.assert_array_equal(found["quality"], bits | pixel_bits_of_arrays(images))
    assert found["quality"].dtype == np.int32 and (bits & BITS["multimodal"]).any() and (score[good] > 1).any()
    assert found["quality"][7:10].tolist() == [BITS["no_pdf"] | BITS["bad_pixels"], BITS["no_pdf"], BITS["no_pdf"]]
    assert all(np.isnan(values[~good]).all() for name, values in found.items() if name != "quality")
