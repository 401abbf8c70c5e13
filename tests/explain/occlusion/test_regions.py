import numpy as np
import pytest

from photoz_morph.explain.gradients import Score
from photoz_morph.explain.occlusion import regions
from photoz_morph.explain.targets import class_probability
from tests.support.explain import galaxies, two_inputs


def test_patches_divide_the_pixels_into_squares_of_one_or_all_bands():
    found = regions.patches((5, 6, 2), 3)
    assert found.n_players == 4 and np.bincount(found.labels.ravel()).tolist() == [18, 18, 12, 12]
    each = regions.patches((5, 6, 2), 3, each_band=True, scalars=("ebv",))
    assert each.n_pixel_players == 8 and each.n_players == 9
    assert not set(each.labels[..., 0].ravel()) & set(each.labels[..., 1].ravel())


def test_a_superpixel_holds_the_bright_source_and_no_player_is_empty():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 16, 16, 2))
    images[:, 4:8, 4:8] += 1000
    found = regions.superpixels(images, 8)
    for galaxy in range(2):
        labels = found.of_galaxy(galaxy)
        source = set(labels[4:8, 4:8].ravel())
        assert not source & set(labels[10:, 10:].ravel()) and 1 not in np.bincount(labels.ravel())
        np.testing.assert_array_equal(labels[..., 0], labels[..., 1])


def test_players_that_are_taken_away_have_the_values_of_the_baseline():
    score, inputs, filling = Score(two_inputs(), class_probability(1), batch_size=3), galaxies(), galaxies(seed=9)
    players = regions.whole_bands((6, 6, 3), ("ebv",))
    kept = np.array([[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0], [0.5, 1, 1, 0.25]])
    found = regions.MaskedScore(score, inputs, filling, players)(3, kept)
    for row, value in zip(kept, found):
        image = row[:3] * inputs["image"][3:4] + (1 - row[:3]) * filling["image"][3:4]
        ebv = row[3] * inputs["ebv"][3:4] + (1 - row[3]) * filling["ebv"][3:4]
        expected = score({"image": image.astype("float32"), "ebv": ebv.astype("float32")})[0]
        assert value == pytest.approx(expected, abs=1e-6)


def test_a_player_without_a_value_in_the_baseline_is_named():
    with pytest.raises(ValueError, match="'ebv' is a player, but not in inputs and baseline"):
        players = regions.whole_bands((6, 6, 3), ("ebv",))
        only_image = {"image": galaxies()["image"]}
        regions.MaskedScore(Score(two_inputs(), class_probability(1)), galaxies(), only_image, players)


def test_spread_values_keep_their_sums():
    inputs, values = galaxies(), np.random.default_rng(1).normal(size=(5, 13))
    players = regions.patches((6, 6, 3), 3, each_band=True, scalars=("ebv",))
    found = regions.spread(values, players, inputs)
    np.testing.assert_allclose(found["ebv"], values[:, 12])
    np.testing.assert_allclose(found["image"].sum(axis=(1, 2, 3)), values[:, :12].sum(axis=1))
    np.testing.assert_allclose(found["image"][:, :3, :3, 1], np.tile(values[:, 1, None, None] / 9, (1, 3, 3)))
