import numpy as np
import pytest

from photoz_morph.morph.baselines.measurements import MEASUREMENTS, measure_stamps, noise_sigma
from tests.support.samples import shape_mocks


@pytest.fixture(scope="module")
def stamps():
    return shape_mocks(6)[0][10]


def measured(images):
    return dict(zip(MEASUREMENTS, measure_stamps(images).T.astype(float)))


def test_there_are_53_measurements_with_names_of_their_own():
    assert len(MEASUREMENTS) == len(set(MEASUREMENTS)) == 53
    assert MEASUREMENTS[:5] == ("g - r", "r - i", "flux r", "concentration r", "concentration i")
    shapes = {name.split()[0] for name in MEASUREMENTS[5:]}
    assert shapes == {"gini", "m20", "asymmetry", "area"}
    assert {"gini r, 1 px, 2 sigma", "area i, 2 px, 20 sigma"} <= set(MEASUREMENTS)


@pytest.mark.parametrize("turned", [
    lambda images: images[:, ::-1], lambda images: np.rot90(images, axes=(1, 2)), lambda images: images.swapaxes(1, 2),
])  # fmt: skip
def test_a_flip_or_rotation_changes_nothing(stamps, turned):
    np.testing.assert_allclose(measure_stamps(turned(stamps)), measure_stamps(stamps), rtol=2e-4, atol=2e-4)


def test_another_unit_changes_only_the_flux(stamps):
    here, there = measured(stamps), measured(8 * stamps)
    assert there.pop("flux r") == pytest.approx(here.pop("flux r") + np.log10(8), abs=1e-5)
    for name, values in here.items():
        assert there[name] == pytest.approx(values, rel=1e-4, abs=1e-4, nan_ok=True), name


def test_colours_and_flux_are_those_of_the_light(stamps):
    """The stamps have 0.6, 1 and 1.3 in g, r, i, and a round one of sigma 3 has 2 pi 9 x 1000 in r."""
    found = measured(stamps)
    assert found["g - r"] == pytest.approx(-2.5 * np.log10(0.6), abs=0.08)
    assert found["r - i"] == pytest.approx(2.5 * np.log10(1.3), abs=0.08)
    width = np.random.default_rng([1, 0]).uniform(0.9, 1.1, 6)[1] * 3
    assert 10 ** found["flux r"][1] == pytest.approx(2 * np.pi * width**2 * 1000, rel=0.1)


def test_area_is_that_of_the_isophote():
    """A Gaussian of sigma 5 smoothed by 1 px is above t inside pi 26 x 2 ln(peak / t)."""
    y, x = np.indices((100, 100)) - 49.5
    noise = np.random.default_rng(0).normal(size=(1, 100, 100, 3))
    images = 300 * np.exp(-(x**2 + y**2) / 50)[None, ..., None] + noise
    sigma = 1 / np.sqrt(4 * np.pi)  # of the noise after the smoothing
    expected = np.pi * 26 * 2 * np.log(300 * 25 / 26 / (20 * sigma))
    assert measured(images)["area r, 1 px, 20 sigma"][0] == pytest.approx(expected, rel=0.05)


def test_a_second_nucleus_is_seen_in_m20():
    """Classes of the sample: 0 broad, 1 compact, 2 double."""
    images, table = shape_mocks(60)
    m20 = measured(images[10])["m20 r, 1 px, 20 sigma"]
    label = np.asarray(table["label"])
    assert np.nanmin(m20[label == 2]) > np.nanmax(m20[label == 1])


def test_noise_is_measured_beside_a_galaxy():
    rng = np.random.default_rng(3)
    image = 3 * rng.normal(size=(200, 200))
    image[60:140, 60:140] += 50
    assert noise_sigma(image) == pytest.approx(3, rel=0.03)  # median of 16,800 pixels: 1 %
    assert noise_sigma(np.ones((5, 5))) == 0


def test_stamps_that_cannot_be_measured_are_nan_and_the_others_stay(stamps):
    bad = stamps.copy()
    bad[0, 4, 5, 0], bad[1], bad[2, 50, 50, 2], bad[3, ..., 2] = np.nan, 0, np.inf, 1.0
    found = measure_stamps(bad)
    assert np.isnan(found[:4]).all()
    assert np.array_equal(found[4:], measure_stamps(stamps)[4:], equal_nan=True)


def test_noise_alone_has_no_area_at_twenty_sigma():
    found = measured(np.random.default_rng(5).normal(size=(2, 100, 100, 3)).astype(np.float32))
    assert (found["area r, 2 px, 20 sigma"] == 0).all() and np.isnan(found["gini r, 2 px, 20 sigma"]).all()
