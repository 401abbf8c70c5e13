import numpy as np

from photoz_morph.transfer.sizes import centred_rows


def test_larger_maps_count_about_their_centre_and_smaller_ones_lose_their_edge():
    rng = np.random.default_rng(1)
    rows, maps = rng.normal(size=(4 * 4 * 3, 5)), rng.normal(size=(6, 6, 3))
    larger = centred_rows(rows, (4, 4, 3), (6, 6, 3))
    np.testing.assert_allclose(maps.ravel() @ larger, maps[1:5, 1:5].ravel() @ rows)
    smaller = centred_rows(larger, (6, 6, 3), (4, 4, 3))
    np.testing.assert_array_equal(smaller, rows)
    np.testing.assert_array_equal(centred_rows(rows, (4, 4, 3), (4, 4, 3)), rows)
