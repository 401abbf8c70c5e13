import numpy as np

from photoz_morph.morph.report.figures import stretch
from tests.support.morph import toy_images


def test_stretch_is_the_same_for_both_depths():
    y10, y1 = toy_images([1, 1, 1])
    grey10, grey1 = stretch.stretch(y10, y10), stretch.stretch(y1, y10)
    sky = (slice(None), slice(0, 15), slice(0, 15))
    assert grey1[sky].std() > 1.5 * grey10[sky].std()
    cores = grey10[:, 48:52, 48:52], grey1[:, 48:52, 48:52]
    np.testing.assert_allclose(*cores, atol=0.05)  # noise of one year on the bright core
    assert grey10.min() >= 0 and grey10.max() <= 1


def test_colours_follow_the_flux_ratios():
    blue, red = np.zeros((2, 1, 40, 40, 3))
    noise = np.random.default_rng(0).normal(size=(1, 40, 40, 3))
    blue[:, 15:25, 15:25], red[:, 15:25, 15:25] = (900, 1000, 1000), (300, 1000, 1700)  # g, r, i
    for image, brightest in ((blue, 2), (red, 0)):
        colour = stretch.stretch(image + noise, image + noise, colour=True)[0, 18:22, 18:22].mean(axis=(0, 1))
        assert colour.argmax() == brightest and 0 < colour.min() and colour.max() <= 1


def test_sky_noise_is_that_of_the_sky():
    y10, y1 = toy_images([0, 1, 2], sigma_y10=3.0)
    np.testing.assert_allclose(stretch.sky_sigma(y10), 3, rtol=0.05)
    np.testing.assert_allclose(stretch.sky_sigma(y1), 3 * np.sqrt(10), rtol=0.05)
