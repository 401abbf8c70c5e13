import numpy as np
import pytest

from photoz_morph.mocks.exposure import FRAME_SIZE
from photoz_morph.mocks.observe import observe
from photoz_morph.morph.augmentation import (
    StampNoise,
    stamp_noise,
    with_fewer_years,
    with_random_pixel,
    with_random_years,
)
from photoz_morph.surveys import LSST


@pytest.mark.parametrize("binning", ["sample", "sum"])
@pytest.mark.parametrize("years", [1, 4])
def test_a_thinned_image_has_the_noise_of_fewer_years(years, binning):
    flux = np.array([40.0, 10.0, 100.0])  # [nJy per camera pixel]; in i as many electrons as the sky
    frame, noise = np.broadcast_to(flux, (FRAME_SIZE, FRAME_SIZE, 3)), stamp_noise(LSST, binning, 100.0)
    deep, shallow = [], []
    for seed in range(6):
        stamps = observe(frame, LSST, (10, years), np.random.default_rng([7, seed]), binning)
        deep.append(np.asarray(with_fewer_years(stamps[10], years, noise, [1, seed])))
        shallow.append(stamps[years])
    deep, shallow = np.reshape(deep, (-1, 3)), np.reshape(shallow, (-1, 3))
    np.testing.assert_allclose(deep.std(axis=0), shallow.std(axis=0), rtol=0.02)  # 60,000 pixels know it to 0.3 %
    error = np.hypot(deep.std(axis=0), shallow.std(axis=0)) / np.sqrt(len(deep))
    assert np.all(np.abs(deep.mean(axis=0) - shallow.mean(axis=0)) < 4 * error)


def test_all_years_leave_the_image_as_it_is():
    image = np.random.default_rng(0).normal(size=(9, 9, 3)).astype(np.float32)
    np.testing.assert_array_equal(with_fewer_years(image, 10, stamp_noise(LSST, "sample", 100.0), [1, 2]), image)


def test_years_are_drawn_alike_by_seed_and_galaxy():
    noise = StampNoise(10, (0.0,), (1.0,))  # of n years the variance is then 10 / n - 1
    image = np.zeros((50, 50, 1), np.float32)
    drawn = np.array([with_random_years(image, obj_id, noise, (3, 4)) for obj_id in range(400)])
    years = 10 / (1 + drawn.var(axis=(1, 2, 3)))
    counts = np.bincount(np.round(years).astype(int), minlength=11)[1:]
    assert len(counts) == 10 and counts.min() > 40 - 4 * 6 and counts.max() < 40 + 4 * 6  # sqrt(400 x 0.1 x 0.9) = 6
    np.testing.assert_array_equal(with_random_years(image, 5, noise, (3, 4)), drawn[5])
    assert not np.array_equal(with_random_years(image, 5, noise, (3, 5)), drawn[5]) or years[5] > 9.5


def test_one_random_pixel_takes_a_corner_of_the_range():
    image, corners = np.full((6, 6, 3), 0.5, np.float32), np.array([[-1, -2, -3], [1, 2, 3]], np.float32)
    places, values, n_changed = set(), set(), 0
    for obj_id in range(600):
        found = np.asarray(with_random_pixel(image, obj_id, 0.75, corners, 9))
        changed = np.argwhere((found != image).any(axis=2))
        assert len(changed) <= 1
        n_changed += len(changed)
        for row, column in changed:
            places.add((row, column))
            values.add(tuple(found[row, column]))
    assert abs(n_changed - 450) < 4 * np.sqrt(600 * 0.75 * 0.25)
    assert len(places) == 36  # every pixel, the edges too
    assert len(values) == 8 and {tuple(np.abs(value)) for value in values} == {(1, 2, 3)}
