import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.blend.export.tiles import Tiling, joined_sources

SIZE = 32  # cores of 16 pixels where an image needs several tiles
REACH = 3  # [pixel] from a source to the last of its pixels


def found_in(tiling, places, jitter=0.4, scores=None):
    """What a finder that sees every source sees in each tile: places that it is unsure of, and who owns the pixels."""
    places, parts = np.asarray(places, float), []
    scores = np.linspace(0.9, 0.5, len(places)) if scores is None else np.asarray(scores, float)
    for number, origin in enumerate(tiling.origins):
        rng = np.random.default_rng([number, 1])
        local = places - origin
        inside = ((local > -0.5) & (local < tiling.size - 0.5)).all(axis=1)
        own = local[inside] + rng.uniform(-jitter, jitter, (inside.sum(), 2))
        owners = owners_of(local[inside], (tiling.size, tiling.size))
        parts.append((detections(own, scores[inside], np.bincount(owners.ravel(), minlength=len(own) + 1)[1:]), owners))
    return parts


def detections(places, scores, n_visible):
    y, x = np.reshape(places, (-1, 2)).T
    box = np.stack([y - REACH, x - REACH, y + REACH, x + REACH], axis=-1)
    return Table({"y": y, "x": x, "box": box, "score": scores, "n_visible": n_visible})


def owners_of(places, shape):
    """Number of the nearest source of each pixel within its reach."""
    if not len(places):
        return np.zeros(shape, np.int16)
    grid = np.stack(np.indices(shape), axis=-1)
    distance = np.linalg.norm(grid[..., None, :] - places, axis=-1)
    return np.where(distance.min(axis=-1) <= REACH, distance.argmin(axis=-1) + 1, 0).astype(np.int16)


@pytest.mark.parametrize("shape", [(32, 32), (20, 100), (33, 48), (97, 130), (64, 65)])
def test_cores_part_the_image_and_lie_far_from_the_edges_of_their_tiles(shape):
    tiling, times = Tiling(shape, SIZE), np.zeros(shape, int)
    for number, origin in enumerate(tiling.origins):
        core = tiling.core(number)
        times[core] += 1
        positions = np.array([(core[0].start, core[1].start), (core[0].stop - 1, core[1].stop - 1)], float)
        assert list(tiling.tile_of(positions)) == [number, number]
        assert tiling.depth(positions, np.full(2, number)).min() >= SIZE // 4
        assert (origin + SIZE <= np.maximum(shape, SIZE)).all() and (origin >= 0).all()
    assert (times == 1).all()


@pytest.mark.parametrize("seed", range(5))
def test_no_source_is_there_twice_and_none_is_lost(seed):
    rng = np.random.default_rng(seed)
    shape = (90, 110)
    places = rng.uniform(0, np.array(shape) - 1, (400, 2))
    keeps = [k for k in range(len(places)) if k == 0 or np.linalg.norm(places[:k] - places[k], axis=1).min() > 2.5]
    places = places[keeps]
    tiling = Tiling(shape, SIZE)
    sources, segmentation = joined_sources(tiling, found_in(tiling, places))
    assert len(sources) == len(places) > 150
    found = np.stack([sources["y"], sources["x"]], axis=-1)
    away = np.linalg.norm(found[:, None] - places, axis=-1)
    assert sorted(away.argmin(axis=1)) == list(range(len(places))) and away.min(axis=1).max() < 0.6
    np.testing.assert_array_equal(np.append(0, away.argmin(axis=1) + 1)[segmentation], owners_of(places, shape))
    np.testing.assert_array_equal(
        sources["n_visible"], np.bincount(segmentation.ravel(), minlength=len(places) + 1)[1:]
    )
    assert np.all(np.diff(sources["score"]) <= 0)


def test_of_two_tiles_that_see_a_source_on_the_other_side_of_the_seam_one_counts():
    tiling = Tiling((32, 48), SIZE)  # the second tile begins at 16, the seam is at 24
    empty = np.zeros((SIZE, SIZE), np.int16)
    left, right = detections([[16, 23.8]], [0.9], [0]), detections([[16, 23.2 - 16]], [0.8], [0])
    sources, _ = joined_sources(tiling, [(left, empty), (right, empty)])
    assert len(sources) == 1 and sources["x"][0] == pytest.approx(23.8, abs=0.7)


def test_a_pair_across_a_seam_stays_a_pair_though_each_tile_misses_one_of_it():
    tiling = Tiling((32, 48), SIZE)
    empty = np.zeros((SIZE, SIZE), np.int16)
    left, right = detections([[16, 22.0]], [0.9], [0]), detections([[16, 25.5 - 16]], [0.8], [0])
    sources, _ = joined_sources(tiling, [(left, empty), (right, empty)])
    np.testing.assert_allclose(sources["x"], [22, 25.5])


def test_what_only_the_edge_of_a_tile_shows_is_no_source():
    tiling = Tiling((32, 48), SIZE)
    owners = np.ones((SIZE, SIZE), np.int16)
    cut = detections([[16, 30.0]], [0.9], [SIZE**2])  # two pixels from the edge; the other tile has it in its core
    sources, segmentation = joined_sources(tiling, [(cut, owners), (detections([], [], []), 0 * owners)])
    assert len(sources) == 0 and segmentation.max() == 0


def test_a_cut_box_of_a_large_source_is_not_a_second_one():
    tiling = Tiling((32, 48), SIZE)
    empty = np.zeros((SIZE, SIZE), np.int16)
    left, right = detections([[16, 23.0]], [0.9], [0]), detections([[16, 28.0 - 16]], [0.8], [0])
    left["box"], right["box"] = [[8, 14, 24, 31.5]], [[8, 15 - 16, 24, 40 - 16]]
    sources, _ = joined_sources(tiling, [(left, empty), (right, empty)])
    assert len(sources) == 1


def test_a_smaller_image_is_a_tile_that_reaches_beyond_it():
    tiling = Tiling((20, 24), SIZE)
    tile = tiling.cut(np.ones((20, 24, 3)), 0)
    assert tile.shape == (32, 32, 3) and tile.sum() == 20 * 24 * 3
    parts = [(detections([[10, 12.0], [25, 12.0], [18, 22.0]], [0.9, 0.8, 0.1], [4, 4, 4]), np.zeros((32, 32), int))]
    sources, segmentation = joined_sources(tiling, parts, min_score=0.2)
    assert len(sources) == 1 and segmentation.shape == (20, 24)
    sources, _ = joined_sources(tiling, parts)
    np.testing.assert_allclose(sources["box"][1], [15, 19, 19.5, 23.5])  # ends where the image does
