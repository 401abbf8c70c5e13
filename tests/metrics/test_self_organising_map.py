import numpy as np
import pytest

from photoz_morph.metrics import self_organising_map
from photoz_morph.metrics.self_organising_map import train_map


def sheet(n=2000, seed=0):
    """Objects on a curved sheet in four dimensions, and their place on it."""
    u, v = np.random.default_rng(seed).uniform(-1, 1, (2, n))
    noise = 0.02 * np.random.default_rng(seed + 1).normal(size=(n, 4))
    return np.stack([2 * u, v, u + v + 0.2 * u**2, u - v + 0.2 * u * v], axis=1) + noise, (u, v)


def distance(cells, features):
    """Mean distance of objects from the centres of their cells, in scatters."""
    offset = (features - cells.features[cells.cell(features)]) / cells.scatter
    return np.mean(np.linalg.norm(offset, axis=1))


def test_objects_close_on_the_sheet_are_close_on_the_map():
    features, (u, v) = sheet()
    row, column = np.divmod(train_map(features, 8).cell(features), 8)
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, len(u), (2, 4000))
    on_map = np.hypot(row[one] - row[two], column[one] - column[two])
    on_sheet = np.hypot(u[one] - u[two], v[one] - v[two])
    assert on_map[on_sheet < 0.1].mean() < 1 < 3 < on_map[on_sheet > 1].mean()
    assert np.corrcoef(on_map, on_sheet)[0, 1] > 0.9


def test_cells_are_near_the_mean_of_their_objects_and_all_are_used():
    features, _ = sheet()
    cells = train_map(features, 6)
    cell = cells.cell(features)
    assert len(np.unique(cell)) == 36
    for number in range(36):
        offset = (features[cell == number].mean(axis=0) - cells.features[number]) / cells.scatter
        assert np.abs(offset).max() < 0.25


def test_the_map_is_the_same_every_time_and_in_any_unit():
    features, _ = sheet()
    first, second = train_map(features, 5), train_map(100 * features + 3, 5)
    np.testing.assert_array_equal(first.nodes, train_map(features, 5).nodes)
    np.testing.assert_array_equal(first.cell(features), second.cell(100 * features + 3))


def test_a_part_of_many_objects_is_chosen_by_the_seed(monkeypatch):
    features, _ = sheet()
    whole = train_map(features, 4)
    monkeypatch.setattr(self_organising_map, "N_LEARNT", 1500)
    one, again, other = (train_map(features, 4, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.nodes, again.nodes)
    assert np.any(one.nodes != other.nodes)
    # The plane of the two largest components may be turned, which changes no distance.
    assert distance(one, features) == pytest.approx(distance(whole, features), rel=0.05)


def test_wrong_photometry_does_not_stretch_the_map():
    features, _ = sheet()
    spoilt = np.concatenate([features, np.full((20, 4), 1e4)])
    cells = train_map(spoilt, 5)
    assert len(np.unique(cells.cell(features))) >= 24


@pytest.mark.parametrize("features", [np.zeros((1, 3)), np.zeros((5, 1)), np.zeros(5), np.full((5, 3), np.nan)])
def test_what_cannot_be_mapped_is_refused(features):
    with pytest.raises(ValueError, match="features"):
        train_map(features, 3)


def test_equal_objects_make_a_map_of_one_place():
    assert len(np.unique(train_map(np.ones((50, 3)), 3).cell(np.ones((50, 3))))) == 1
