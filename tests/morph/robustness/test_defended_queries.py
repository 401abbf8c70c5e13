import numpy as np
from scipy.ndimage import median_filter

from photoz_morph.models.layers.defences import defended
from photoz_morph.morph.robustness.pixel_queries import pixel_queries
from tests.support.queries import network_of, some_edits, some_sets


def test_edits_of_filtered_images_are_those_of_the_filter():
    images = np.random.default_rng(1).normal(0, 10, (3, 100, 100, 3)).astype(np.float32)
    queries = pixel_queries(defended(network_of("convnet", width=2), "median"), images)
    for index, edits in (some_edits(70), some_sets(5, 30)):
        inside = queries._filtered(index, edits)
        pixels, values = edits.sets()
        for number, image in enumerate(images[index]):
            edited = image.copy()
            edited[tuple(pixels[number].T)] = values[number]
            filtered, expected = (median_filter(part, (3, 3, 1), mode="nearest") for part in (image, edited))
            filtered[tuple(inside.pixels[number].T)] = inside.values[number]
            np.testing.assert_array_equal(filtered, expected)
