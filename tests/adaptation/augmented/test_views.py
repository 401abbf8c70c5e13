import numpy as np
import pytest

from photoz_morph.adaptation.augmented.views import Draws, flipped, noise_level, shifted, with_hole


def images(n=4, side=20, seed=0):
    return np.random.default_rng(seed).normal(size=(n, side, side, 2)).astype(np.float32)


def test_noise_level_is_that_of_the_noise_in_each_band_whatever_lies_beneath():
    noise = np.random.default_rng(1).normal(size=(3, 100, 100, 2)) * [1.0, 5.0]
    rows, columns = np.indices((100, 100)) - 49.5
    galaxy = 300 * np.exp(-0.5 * (rows**2 + columns**2) / 15**2)
    slope = 40 * rows - 70 * columns
    for beneath in (0, galaxy[..., None], slope[..., None]):
        level = np.asarray(noise_level(np.float32(noise + beneath)))
        np.testing.assert_allclose(level, np.broadcast_to([1.0, 5.0], level.shape), rtol=0.05)


def test_images_are_shifted_by_whole_pixels():
    given = images()
    moved = np.asarray(shifted(given, np.int32([[0, 0], [2, 0], [0, -3], [-1, 4]])))
    np.testing.assert_array_equal(moved[0], given[0])
    np.testing.assert_array_equal(moved[1, 2:], given[1, :-2])
    np.testing.assert_array_equal(moved[1, :2], given[1, [0, 0]])  # the edge is repeated
    np.testing.assert_array_equal(moved[2, :, :-3], given[2, :, 3:])
    np.testing.assert_array_equal(moved[3, :-1, 4:], given[3, 1:, :-4])


def test_choices_give_the_eight_views_of_a_square():
    one = images(1)
    choices = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, 8).T.astype(bool)
    views = {np.asarray(view).tobytes() for view in flipped(np.repeat(one, 8, axis=0), choices)}
    square = [np.rot90(one[0], turns) for turns in range(4)]
    assert views == {np.ascontiguousarray(view).tobytes() for turned in square for view in (turned, turned[::-1])}


def test_images_that_are_not_square_are_flipped_only():
    given = images()[:, :, :15]
    views = np.asarray(flipped(given, np.array([[1, 0, 1]] * 4, bool)))
    np.testing.assert_array_equal(views, given[:, ::-1])


def test_a_hole_covers_its_square_and_nothing_else():
    given = images()
    holed = np.asarray(with_hole(given, np.float32([[0.5, 0.5], [0.5, 0.5], [0.2, 0.7], [0, 0]])))
    assert [int((part == 0).all(axis=2).sum()) for part in holed] == [16, 16, 16, 4]  # a fifth of the side: 4 pixels
    np.testing.assert_array_equal(holed[0, 8:12, 8:12], 0)
    np.testing.assert_array_equal(holed[holed != 0], given[holed != 0])


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_replicas_draw_the_rows_of_the_whole_batch(kind):
    drawn = []
    for rows in ((0, 6, 6), (0, 3, 6), (3, 3, 6)):
        draws = Draws()
        draws.create(seed=4)
        drawn.append([np.asarray(getattr(draws, kind)((2,), rows)) for _ in range(2)])
    for whole, first, second in zip(*drawn):
        np.testing.assert_array_equal(whole, np.concatenate([first, second]))
    assert not np.array_equal(*drawn[0])
