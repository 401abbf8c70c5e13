import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from photoz_morph.shards.galaxy_maps import (
    COLUMNS,
    find_map_shards,
    map_shard_path,
    read_map_catalog,
    read_map_shard,
    write_map_shard,
)
from tests.support.broken_input import cut_short, flipped

CARDS = [(keyword, value, "") for keyword, value in {
    "SURVEY": "lsst", "BANDS": "g,r,i", "MAPS": "mass,age", "SIZE": 8, "PIXSCALE": 0.4, "PIXKPC": 0.4, "BUNIT": "nJy",
    "ZEROPT": 31.4, "SIGMA": "1,1,1", "YEARS": 10.0, "ORIGIN": "simulated", "SEED": 1,
}.items()]  # fmt: skip


@pytest.fixture
def parts():
    rng = np.random.default_rng(0)
    images, maps = (rng.normal(size=(3, 8, 8, n)).astype(np.float32) for n in (3, 2))
    maps[1, 2] = np.nan
    table = Table({name: np.arange(3) for name in COLUMNS})
    table["obj_id"] = [20, 21, 22]
    return images, maps, images[..., 1] + 1, table


@pytest.fixture
def shard(parts, tmp_path):
    path = map_shard_path(tmp_path, 0)
    write_map_shard(path, *parts, CARDS)
    return path, parts


def test_a_shard_comes_back(shard):
    path, parts = shard
    *cubes, table, header = read_map_shard(path)
    for found, written in zip(cubes, parts):
        np.testing.assert_array_equal(found, written)
    assert list(table["obj_id"]) == [20, 21, 22] and header["MAPS"] == "mass,age"
    assert len(read_map_catalog(path)[0]) == 3 and find_map_shards(path.parent) == [path]


def test_rows_can_be_read_alone(shard):
    path, (images, maps, _, _) = shard
    found, its_maps, _, table, _ = read_map_shard(path, np.array([2, 0]))
    np.testing.assert_array_equal(found, images[[2, 0]])
    np.testing.assert_array_equal(its_maps, maps[[2, 0]])
    assert list(table["obj_id"]) == [22, 20]


@pytest.mark.parametrize("damage", [cut_short, flipped(offset=6_000), lambda path: path.write_bytes(b"")])
def test_a_damaged_shard_is_named(shard, damage):
    damage(shard[0])
    with pytest.raises(ValueError, match="maps-00000.fits: cannot be read as a shard of galaxies with maps .* again"):
        read_map_shard(shard[0])


def test_parts_that_do_not_fit_are_not_written(parts, tmp_path):
    images, maps, brightness, table = parts
    path = map_shard_path(tmp_path, 0)
    with pytest.raises(ValueError, match=r"images, maps and brightness have shapes .* its 3 rows need \(\(3, 8, 8, 3"):
        write_map_shard(path, images, maps[:2], brightness, table, CARDS)
    with pytest.raises(ValueError, match="table lacks column kind"):
        write_map_shard(path, images, maps, brightness, table[["obj_id", "group_id"]], CARDS)
    with pytest.raises(ValueError, match="no SEED in the primary header"):
        write_map_shard(path, *parts, CARDS[:-1])
    assert not path.exists()


def test_pixels_that_are_not_finite_and_other_files_are_named(parts, tmp_path):
    parts[0][1, 3, 3, 0] = np.inf
    write_map_shard(map_shard_path(tmp_path, 0), *parts, CARDS)
    with pytest.raises(ValueError, match="galaxy 21 has pixels that are not finite; make it again"):
        read_map_shard(map_shard_path(tmp_path, 0))
    fits.PrimaryHDU().writeto(tmp_path / "other.fits")
    with pytest.raises(ValueError, match="other.fits: no SURVEY, BANDS, .* in the primary header"):
        read_map_catalog(tmp_path / "other.fits")
    with pytest.raises(FileNotFoundError, match="create them with `blend simulate --kind maps`"):
        find_map_shards(tmp_path / "nowhere")
