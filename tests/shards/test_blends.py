import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from photoz_morph.shards.blends import (
    SOURCE_COLUMNS,
    blend_shard_path,
    find_blend_shards,
    pack_sources,
    read_blend_catalog,
    read_blend_shard,
    read_blend_sources,
    unpack_sources,
    write_blend_shard,
)
from tests.support.broken_input import cut_short, flipped

CARDS = [(keyword, value, "") for keyword, value in {
    "KIND": "scenes", "SURVEY": "lsst", "BANDS": "g,r,i", "SIZE": 32, "PIXSCALE": 0.2, "BUNIT": "nJy", "ZEROPT": 31.4,
    "SIGMA": "1,1,1", "YEARS": 10.0, "FAINTEST": 26.0, "ORIGIN": "simulated", "SEED": 1,
}.items()]  # fmt: skip
NUMBERS = (2, 0, 3)  # sources of the images


@pytest.fixture
def parts():
    """Images, instances, tables and noise-free images of three fields, one of them empty."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(3, 32, 32, 3)).astype(np.float32)
    instances = rng.integers(0, 3, (3, 32, 32)).astype(np.int16)
    sources = [rng.uniform(size=(height, height + 2, 3)).astype(np.float16) for height in (3, 9, 4, 12, 5)]
    pixels, first = pack_sources(sources)
    catalog = Table({"obj_id": [10, 11, 12], "group_id": [1, 1, 2], "n_sources": NUMBERS, "first_source": (0, 2, 2)})
    table = Table({name: np.arange(5) for name in SOURCE_COLUMNS})
    for name in ("mags", "flux", "flux_in_image"):
        table[name] = np.arange(5 * 3.0).reshape(5, 3)
    table["box"] = np.zeros((5, 4), np.float32)
    table["first_pixel"], table["row"], table["column"] = first, [0, 2, 20, 10, 4], [1, 1, 9, 18, 0]
    table["height"], table["width"] = [3, 9, 4, 12, 5], [5, 11, 6, 14, 7]
    table["kind"] = np.array([1, 2, 3, 4, 1], np.int16)
    return images, instances, catalog, table, pixels, sources


@pytest.fixture
def shard(parts, tmp_path):
    path = blend_shard_path(tmp_path, 0)
    write_blend_shard(path, *parts[:5], CARDS)
    return path, parts


def test_a_shard_comes_back(shard):
    path, (images, instances, _, table, _, sources) = shard
    read, header = read_blend_shard(path)
    assert [len(image.sources) for image in read] == list(NUMBERS) and header["KIND"] == "scenes"
    for image, expected, numbers in zip(read, images, instances):
        np.testing.assert_array_equal(image.image, expected)
        np.testing.assert_array_equal(image.instances, numbers)
    whole = read[2].source_images()
    for number, (row, column) in enumerate(((20, 9), (10, 18), (4, 0))):
        height, width, _ = sources[2 + number].shape
        np.testing.assert_array_equal(whole[number, row : row + height, column : column + width], sources[2 + number])
        assert np.count_nonzero(whole[number]) == np.count_nonzero(sources[2 + number])
    np.testing.assert_array_equal(read[2].sources["mags"], table["mags"][2:])
    assert str(read[0].sources["flux"].unit) == "nJy" and str(read[0].sources["mags"].unit) == "mag"


def test_rows_can_be_read_alone(shard):
    path, parts = shard
    (last, first), _ = read_blend_shard(path, np.array([2, 0]))
    assert (last.obj_id, first.obj_id) == (12, 10)
    np.testing.assert_array_equal(last.source_images(), read_blend_shard(path)[0][2].source_images())
    assert len(read_blend_sources(path)) == 5 and list(read_blend_catalog(path)[0]["obj_id"]) == [10, 11, 12]


def test_classes_are_those_of_the_instances(shard):
    image = read_blend_shard(shard[0])[0][2]  # of kinds 3, 4, 1
    np.testing.assert_array_equal(image.classes(), np.array([0, 3, 4, 1])[image.instances])


def test_packed_sources_are_unpacked():
    sources = [np.full((2, 3, 1), 7, np.float16), np.full((1, 1, 1), 3, np.float16)]
    pixels, first = pack_sources(sources)
    fields = unpack_sources(pixels, first, [(1, 0, 2, 3), (3, 3, 1, 1)], (4, 4, 1))
    assert fields.sum() == 6 * 7 + 3 and (fields[0, 1:3, :3] == 7).all() and fields[1, 3, 3, 0] == 3


@pytest.mark.parametrize("damage", [cut_short, flipped(offset=30_001), lambda path: path.write_bytes(b"")])
def test_a_damaged_shard_is_named(shard, damage):
    damage(shard[0])
    with pytest.raises(ValueError, match="blends-00000.fits: cannot be read as a shard of blends .* make it again"):
        read_blend_shard(shard[0])


def test_a_shard_of_another_kind_is_named(shard):
    fits.setval(shard[0], "KIND", value="frames")
    with pytest.raises(ValueError, match="KIND is frames, not one of scenes, pairs; make it again"):
        read_blend_catalog(shard[0])


def test_parts_that_do_not_fit_are_not_written(parts, tmp_path):
    images, instances, catalog, table, pixels, _ = parts
    path = blend_shard_path(tmp_path, 0)
    with pytest.raises(ValueError, match=r"images have shape \(2, 32, 32, 3\)"):
        write_blend_shard(path, images[:2], instances, catalog, table, pixels, CARDS)
    with pytest.raises(ValueError, match="5 sources with 40 pixels, its tables need 5 with"):
        write_blend_shard(path, images, instances, catalog, table, pixels[:40], CARDS)
    with pytest.raises(ValueError, match="table lacks column blendedness"):
        write_blend_shard(path, images, instances, catalog, table[[n for n in table.colnames if n != "blendedness"]],
                          pixels, CARDS)  # fmt: skip
    with pytest.raises(ValueError, match="no SEED in the primary header"):
        write_blend_shard(path, images, instances, catalog, table, pixels, CARDS[:-1])
    assert not path.exists()


def test_pixels_that_are_not_finite_are_named(parts, tmp_path):
    parts[0][1, 3, 3, 0] = np.nan
    write_blend_shard(blend_shard_path(tmp_path, 0), *parts[:5], CARDS)
    with pytest.raises(ValueError, match="image 11 has pixels that are not finite; make it again"):
        read_blend_shard(blend_shard_path(tmp_path, 0))


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="create them with `blend simulate`"):
        find_blend_shards(tmp_path)
