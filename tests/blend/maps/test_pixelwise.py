import numpy as np
import pytest

from photoz_morph.blend.maps.pixelwise import fit_pixel_maps, pixel_features, predict_pixel_maps
from photoz_morph.metrics.maps.pixels import map_scores, map_terms

SIGMA = (1.0, 1.0, 1.0)


def coloured(n, seed):
    """Pixels whose first map is their colour and second is nothing that a pixel could know."""
    rng = np.random.default_rng(seed)
    colour, r = rng.uniform(0, 1, (n, 12, 12)), rng.uniform(50, 500, (n, 12, 12))
    images = np.stack([r * 10 ** (-0.4 * colour), r, r * 10 ** (0.2 * colour)], axis=-1)
    return images + rng.normal(0, 0.5, images.shape), np.stack([colour, rng.normal(size=colour.shape)], axis=-1)


def test_features_of_bright_pixels_are_magnitudes_and_colours():
    image = np.array([[100.0, 1000.0, 10.0]])
    features = pixel_features(image, SIGMA)
    np.testing.assert_allclose(features[0], [-5, -7.5, -2.5, 2.5, -5], atol=0.02)
    assert np.isfinite(pixel_features(np.array([[-3.0, 0.0, 2.0]]), SIGMA)).all()


def test_what_is_in_the_colours_is_found_and_nothing_else():
    images, maps = coloured(25, 1)
    inside = np.ones(maps.shape[:3], bool)
    models = fit_pixel_maps(images, maps, inside, SIGMA)
    test_images, test_maps = coloured(20, 2)
    inside = np.random.default_rng(1).random(test_maps.shape[:3]) < 0.5
    found = predict_pixel_maps(models, test_images, inside, SIGMA)
    assert np.isnan(found[~inside]).all() and np.isfinite(found[inside]).all()
    scores = map_scores(map_terms(test_maps, found, inside), np.arange(20), ["colour", "noise"], 50)
    assert scores["colour"]["r2"][0] > 0.95 and scores["noise"]["r2"][0] < 0.05


def test_pixels_that_do_not_count_teach_nothing_and_a_seed_draws_those_that_do():
    images, maps = coloured(20, 1)
    inside = np.random.default_rng(1).random(maps.shape[:3]) < 0.6
    spoilt = np.where(inside[..., None], maps, np.nan)
    fits = [predict_pixel_maps(fit_pixel_maps(images, truth, inside, SIGMA, 1200, seed), images, inside, SIGMA)[inside]
            for truth, seed in ((maps, 1), (spoilt, 1), (maps, 2))]  # fmt: skip
    np.testing.assert_array_equal(fits[0], fits[1])
    assert not np.array_equal(fits[0], fits[2])


def test_too_few_pixels_are_refused():
    images, maps = coloured(4, 1)
    with pytest.raises(ValueError, match="576 pixels count; boosting needs 1000 or more"):
        fit_pixel_maps(images, maps, np.ones(maps.shape[:3], bool), SIGMA)
