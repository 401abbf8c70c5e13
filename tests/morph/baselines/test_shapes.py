import numpy as np
import pytest

from photoz_morph.mocks.labels import gini_coefficient, second_moment_of_brightest
from photoz_morph.morph.baselines.shapes import BrightPixels

BLOBS = np.random.default_rng(1).lognormal(0, 1, (40, 50)).astype(np.float32)


def disk(radius, size=201):
    """A disk of brightness 1 in the middle of an image."""
    y, x = np.indices((size, size)) - size // 2
    return (np.hypot(x, y) < radius).astype(float)


def gaussian(sigma, size=201):
    y, x = np.indices((size, size)) - size // 2
    return np.exp(-(x**2 + y**2) / 2 / sigma**2)


def everything(image):
    return BrightPixels(image, 0), int((image > 0).sum())


@pytest.mark.parametrize("threshold", [1.5, 3.0])
def test_gini_and_m20_are_those_of_the_labels_of_the_same_pixels(threshold):
    pixels, bright = BrightPixels(BLOBS, 1.0), np.where(BLOBS > threshold, BLOBS, 0).astype(float)
    n = pixels.n_above(threshold)
    assert n == (bright > 0).sum()
    assert pixels.total(n) == pytest.approx(bright.sum())
    assert pixels.gini(n) == pytest.approx(gini_coefficient(bright[bright > 0]), rel=1e-9)
    assert pixels.m20(n) == pytest.approx(second_moment_of_brightest(bright), rel=1e-9)


def test_gini_worked_by_hand():
    """Values 1, 2, 3, 4: sum of (2 i - 5) x_i = -3 - 2 + 3 + 12 = 10, over 3 x 10."""
    pixels, n = everything(np.array([[3.0, 1.0], [4.0, 2.0]]))
    assert pixels.gini(n) == pytest.approx(1 / 3)
    assert pixels.gini(2) == pytest.approx(1 / 7)  # of 4 and 3
    assert everything(np.full((3, 3), 2.0))[0].gini(9) == pytest.approx(0, abs=1e-12)


def test_m20_worked_by_hand():
    """In a row, 2 0 1 0 2: the moments are 8, 0 and 8; the first 2 has 20 % of the light and half of the moment."""
    pixels, n = everything(np.array([[2.0, 0, 1.0, 0, 2.0]]))
    assert pixels.m20(n) == pytest.approx(np.log10(1 / 2))
    pixels, n = everything(np.array([[1.0, 4.0, 1.0]]))
    assert np.isnan(pixels.m20(n))  # the 4, in the centre, has no moment


def test_m20_of_a_gaussian():
    """The brightest 20 % lie within R^2 = 2 s^2 ln(1.25): their moment is 1 - 0.8 (1 + ln 1.25) of that of all."""
    pixels, n = everything(gaussian(12))
    assert pixels.m20(n) == pytest.approx(np.log10(1 - 0.8 * (1 + np.log(1.25))), abs=0.02)


def test_concentration_of_a_disk_and_of_a_gaussian():
    """Radii go as the root of the light in a disk, so r80 / r20 = 2; of a Gaussian it is the root of ln 5 / ln 1.25."""
    assert BrightPixels(disk(60), 0.5).concentration(int(disk(60).sum())) == pytest.approx(5 * np.log10(2), abs=0.01)
    pixels, n = everything(gaussian(15))
    expected = 5 * np.log10(np.sqrt(np.log(5) / np.log(1.25)))
    assert pixels.concentration(n) == pytest.approx(expected, abs=0.03)


def test_asymmetry_worked_by_hand():
    """In a row, 3 1 1: the centre of light is 0.6, the turning point 0.5, the opposites of 3 1 1 are 1 3 0."""
    pixels, n = everything(np.array([[3.0, 1.0, 1.0]]))
    assert pixels.asymmetry(n) == pytest.approx((2 + 2 + 1) / 5)
    assert pixels.asymmetry(n, noise=0.1) == pytest.approx(1 - 2 / np.sqrt(np.pi) * 0.1 * 3 / 5)


def test_what_is_symmetric_has_no_asymmetry_wherever_it_lies():
    pair = np.zeros((30, 30))
    pair[5:8, 4:9], pair[15:18, 11:16] = 2.0, 2.0
    assert BrightPixels(pair, 1).asymmetry(30) == pytest.approx(0, abs=1e-12)
    pair[5:8, 4:9] = 3.0
    assert BrightPixels(pair, 1).asymmetry(30) > 0.1


def test_noise_alone_has_no_asymmetry_on_average():
    """A bright disk under noise: |I - I180| is that of the noise, 2 sigma / sqrt(pi) a pixel."""
    rng, found = np.random.default_rng(4), []
    for _ in range(20):
        pixels = BrightPixels(100 * disk(20, 61) + rng.normal(size=(61, 61)), 50)
        found.append(pixels.asymmetry(len(pixels.flux), noise=1.0))
    assert abs(np.mean(found)) < 5 * np.std(found) / np.sqrt(20) + 1e-4


def test_no_pixel_has_no_shape():
    pixels = BrightPixels(np.zeros((5, 5)), 1.0)
    assert pixels.n_above(2.0) == 0 and pixels.total(0) == 0
    assert np.isnan([pixels.gini(0), pixels.m20(0), pixels.asymmetry(0), pixels.concentration(0)]).all()
    one = np.zeros((5, 5))
    one[2, 3] = 4
    pixels = BrightPixels(one, 1.0)
    assert np.isnan([pixels.gini(1), pixels.m20(1), pixels.concentration(1)]).all() and pixels.asymmetry(1) == 0


def test_a_faint_piece_without_a_core_is_noise_and_a_companion_with_one_stays():
    image = np.zeros((12, 12))
    image[2:5, 2:5], image[3, 3] = 3.0, 10.0
    image[8, 8], image[8, 9], image[11, 0] = 7.0, 3.0, 4.0  # the last may be noise
    pixels = BrightPixels(image, 2.0, core=5.0)
    assert sorted(zip(pixels.rows.tolist(), pixels.columns.tolist()))[-2:] == [(8, 8), (8, 9)]
    assert pixels.n_above(2.0) == 11 and pixels.n_above(5.0) == 2
    assert BrightPixels(image, 2.0).n_above(2.0) == 12
    assert len(BrightPixels(image, 2.0, core=20.0).flux) == 0
