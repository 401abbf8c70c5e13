import numpy as np
import pytest

from photoz_morph.metrics.maps.pixels import map_scores, map_terms


def test_scores_of_a_case_by_hand():
    """Two galaxies of two pixels: truths (0, 2) and (4, 6), errors (1, 1) and (0, 2)."""
    truth = np.array([[0.0, 2.0], [4.0, 6.0]]).reshape(2, 1, 2, 1)
    maps = truth + np.array([[1.0, 1.0], [0.0, 2.0]]).reshape(2, 1, 2, 1)
    row = map_scores(map_terms(truth, maps, np.ones((2, 1, 2))), [0, 1], ["age"], 50)["age"]
    assert (row["n_galaxies"], row["n_pixels"]) == (2, 4)
    assert row["bias"][0] == pytest.approx(1)
    assert row["scatter"][0] == pytest.approx(np.sqrt(0.5))  # errors 1, 1, 0, 2
    assert row["r2"][0] == pytest.approx(1 - 6 / 20)  # 20 = 9 + 1 + 1 + 9 about the mean of 3
    assert row["r2_within"][0] == pytest.approx(1 - 2 / 4)  # 0, 0, 1, 1 of error about 0; 1, 1, 1, 1 of truth


def test_scores_are_those_of_numpy_on_the_pixels_that_count():
    rng = np.random.default_rng(1)
    truth, inside = rng.normal(size=(6, 5, 5, 2)), rng.random((6, 5, 5)) < 0.6
    maps = truth + rng.normal(0.2, 0.5, truth.shape)
    maps[~inside] = np.nan  # what does not count may be anything
    truth[0, 0, 0] = np.nan
    counted = inside & np.isfinite(truth[..., 1])
    row = map_scores(map_terms(truth, maps, inside), np.arange(6), ["a", "b"])["b"]
    error = (maps - truth)[..., 1][counted]
    assert row["bias"][0] == pytest.approx(error.mean()) and row["scatter"][0] == pytest.approx(error.std())
    assert row["r2"][0] == pytest.approx(1 - np.mean(error**2) / truth[..., 1][counted].var())
    assert row["bias"][1] < row["bias"][0] < row["bias"][2]


def test_a_constant_for_each_galaxy_explains_nothing_within_it():
    truth = np.random.default_rng(1).normal(size=(30, 4, 4, 1)) + np.linspace(0, 9, 30)[:, None, None, None]
    means = np.broadcast_to(truth.mean(axis=(1, 2), keepdims=True), truth.shape)
    row = map_scores(map_terms(truth, means, np.ones((30, 4, 4))), np.arange(30), ["age"])["age"]
    assert row["r2"][0] > 0.8 and row["r2_within"][0] == pytest.approx(0, abs=1e-9)


def test_intervals_are_over_groups_not_pixels():
    """Copies of a galaxy in one group make the interval no shorter."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(40, 3, 3, 1))
    maps = truth + rng.normal(size=(40, 1, 1, 1))
    terms = map_terms(truth, maps, np.ones((40, 3, 3)))
    alone = map_scores(terms, np.arange(40), ["m"])["m"]["bias"]
    copied = map_scores(np.concatenate([terms] * 9), np.tile(np.arange(40), 9), ["m"])["m"]["bias"]
    assert copied == pytest.approx(alone)
    assert alone[2] - alone[1] == pytest.approx(4 * 40**-0.5, rel=0.3)


def test_what_cannot_be_scored_is_refused():
    truth = np.zeros((2, 3, 3, 1))
    with pytest.raises(ValueError, match="they must be of the same galaxies"):
        map_terms(truth, truth[:1], np.ones((2, 3, 3)))
    with pytest.raises(ValueError, match="1 estimated pixels are not finite"):
        map_terms(truth, np.where(np.arange(18).reshape(truth.shape) == 4, np.nan, 0), np.ones((2, 3, 3)))
    with pytest.raises(ValueError, match="no pixel counts of mass"):
        map_scores(map_terms(truth, truth, np.zeros((2, 3, 3))), [0, 1], ["mass"])
