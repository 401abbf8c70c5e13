import numpy as np
import pytest

from photoz_morph.catalogs.folds import SPLITS
from photoz_morph.shards.blends import DISK, MERGER, SPHEROID
from photoz_morph.simulation.blends.parents import (
    centre_of_light,
    half_light_radius,
    load_parents,
    make_parents,
    numbers,
    parent_maps,
    parents_path,
)
from photoz_morph.simulation.morphology.populations import StellarMaps


def gaussian(sigma, axis_ratio, angle, centre, size=500):
    y, x = np.indices((size, size)) - np.array(centre)[::-1, None, None]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return np.exp(-(along**2 + (across / axis_ratio) ** 2) / (2 * sigma**2))


def test_half_light_radius_is_along_the_major_axis():
    image = gaussian(20, 0.4, 0.6, (250.3, 240.8))
    assert half_light_radius(image) == pytest.approx(20 * np.sqrt(2 * np.log(2)), rel=0.01)
    np.testing.assert_allclose(centre_of_light(image), (250.3, 240.8), atol=1e-3)


def test_a_parent_is_centred_and_has_a_half_light_radius_of_ten_pixels():
    light = gaussian(24, 0.7, 1.0, (246.2, 255.1)).astype(np.float32)
    maps = parent_maps(StellarMaps({"old": light, "young": 0.5 * light}))
    assert maps.shape == (3, 128, 128) and maps.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(maps[2], 0.5 * maps[0], rtol=1e-5)  # old to young as they were
    assert not maps[1].any()
    total = maps.sum(axis=0)
    np.testing.assert_allclose(centre_of_light(total), 63.5, atol=0.01)
    assert half_light_radius(total) == pytest.approx(10, rel=0.02)


def test_dust_dims_the_light_it_lies_before():
    light = gaussian(24, 1, 0, (249.5, 249.5)).astype(np.float32)
    dust = np.where(np.arange(500) < 250, 2.0, 0.0).astype(np.float32) * np.ones((500, 1), np.float32)
    maps = parent_maps(StellarMaps({"old": light}, dust))
    profile = maps[0].sum(axis=0)
    step = np.argmax(profile[2:] / np.maximum(profile[:-2], 1e-6))
    assert profile[step + 2] / profile[step] == pytest.approx(np.exp(2), rel=0.15)  # and the slope of the Gaussian


def test_every_split_has_every_kind_and_shares_no_parent(parents):
    pools = {split: parents.of_split(split) for split in SPLITS}
    counts = numbers(40)
    for kind in (SPHEROID, DISK, MERGER):
        rows = [pools[split][kind] for split in SPLITS]
        assert all(len(of_split) for of_split in rows)
        together = np.concatenate(rows)
        assert len(together) == len(set(together.tolist())) == counts[kind]


def test_views_of_an_encounter_are_in_one_split(tmp_path, monkeypatch):
    from photoz_morph.simulation.blends import parents as module

    drawn = []
    monkeypatch.setattr(module, "simulate_encounter", lambda seed, index: index)
    monkeypatch.setattr(module, "draw_merger", lambda encounter, rng: drawn.append(encounter) or encounter)
    parts = [part for _, part in module._galaxies(MERGER, 100, 1)]
    assert len(drawn) == 100 and len(set(drawn)) == 20
    assert all(part == encounter % 10 for encounter, part in zip(drawn, parts))


def test_coarser_maps_hold_the_same_light(parents):
    for row in (0, 20, 35):
        (fine, pixel), (coarse, coarse_pixel) = parents.maps(row, 12.0), parents.maps(row, 2.0)
        assert pixel == pytest.approx(1.2) and coarse_pixel == pytest.approx(0.8)
        assert coarse.shape[-1] * 4 <= fine.shape[-1] + 8
        np.testing.assert_allclose(fine.sum(axis=(1, 2)), coarse.sum(axis=(1, 2)), atol=3e-3)
        np.testing.assert_allclose(centre_of_light(coarse.sum(axis=0)) - (coarse.shape[-1] - 1) / 2, 0, atol=0.1)


@pytest.mark.parametrize("kind", [SPHEROID, DISK, MERGER])
def test_the_pool_is_a_function_of_the_seed(parents, kind):
    from photoz_morph.simulation.blends.parents import _galaxies

    galaxy, part = next(_galaxies(kind, numbers(40)[kind], 3))
    row = np.flatnonzero(parents.kinds == kind)[0]
    maps = parent_maps(galaxy)
    assert parents.parts[row] == part
    np.testing.assert_array_equal((maps / maps.max()).astype(np.float16), parents.levels[0][row])


def test_a_damaged_pool_or_one_of_another_seed_is_named(tmp_path, blend_pool_dir):
    parents_path(tmp_path, 3, 40).write_bytes(b"not a pool")
    with pytest.raises(ValueError, match="parents-3-40.npz: cannot be read as a pool of galaxies .* remove it"):
        load_parents(str(tmp_path), 3, 40)
    parents_path(tmp_path, 4, 40).write_bytes(parents_path(blend_pool_dir, 3, 40).read_bytes())
    with pytest.raises(ValueError, match="recipe 1 of seed 3, not 1 of 4; remove it"):
        load_parents(str(tmp_path), 4, 40)
    with pytest.raises(ValueError, match="n_parents is 39; ask for at least 40"):
        make_parents(tmp_path, 5, 39)
