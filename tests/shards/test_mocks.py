import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from photoz_morph.shards.mocks import (
    REQUIRED_COLUMNS,
    find_mock_shards,
    mock_shard_path,
    read_mock_catalog,
    read_mock_shard,
    write_mock_shard,
)
from tests.support.broken_input import cut_short, flipped

CARDS = [("PIXSCALE", 1.0, ""), ("ORIGIN", "simulated", ""), ("BINNING", "sum", ""), ("FIELDKPC", 100.0, ""),
         ("NESTED", False, ""), ("SEED", 1, "")]  # fmt: skip


@pytest.fixture
def shard(tmp_path):
    rng = np.random.default_rng(0)
    images = {year: rng.normal(size=(4, 100, 100, 3)).astype(np.float32) for year in (10, 1)}
    table = Table({name: np.arange(4) for name in REQUIRED_COLUMNS})
    path = mock_shard_path(tmp_path, 0)
    write_mock_shard(path, images, table, CARDS)
    return path, images, table


def test_shard_comes_back(shard):
    path, images, table = shard
    read_images, read_table, header = read_mock_shard(path)
    assert list(read_images) == [10, 1] and header["YEARS"] == "10,1"
    for year, cube in images.items():
        assert np.array_equal(read_images[year], cube) and read_images[year].dtype == np.float32
    assert all(np.array_equal(read_table[name], table[name]) for name in table.colnames)


def test_rows_and_depths_can_be_read_alone(shard):
    path, images, _ = shard
    rows, table, _ = read_mock_shard(path, np.array([2, 0]), years=(1,))
    assert list(rows) == [1] and np.array_equal(rows[1], images[1][[2, 0]]) and list(table["obj_id"]) == [2, 0]
    with pytest.raises(ValueError, match="no depth Y2; it has Y10, Y1"):
        read_mock_shard(path, years=(10, 2))


@pytest.mark.parametrize("damage", [cut_short, flipped(offset=300_001), lambda path: path.write_bytes(b"")])
def test_damaged_shard_is_named(shard, damage):
    damage(shard[0])
    with pytest.raises(ValueError, match="mocks-00000.fits: cannot be read as a shard of mocks .* make it again"):
        read_mock_shard(shard[0])


@pytest.mark.parametrize(
    "keyword, value, expected",
    [
        ("BANDS", "i,r,g", "BANDS is i,r,g, lsst mocks have g,r,i; make them again"),
        ("BUNIT", "nanomaggy", "BUNIT is nanomaggy, lsst mocks have nJy"),
        ("SURVEY", "sdss", "SURVEY is sdss, not lsst; give the folder of its mocks"),
        ("ORIGIN", "drawn", "ORIGIN is drawn, not one of simulated, tng, images"),
    ],
)
def test_other_survey_bands_and_units_are_refused(shard, keyword, value, expected):
    fits.setval(shard[0], keyword, value=value)
    with pytest.raises(ValueError, match=expected):
        read_mock_catalog(shard[0])


def test_incomplete_or_misshapen_shards_are_not_written(shard):
    path, images, table = shard
    with pytest.raises(ValueError, match=r"Y1 has shape \(3, 100, 100, 3\), lsst and the table need \(4, 100"):
        write_mock_shard(path, {10: images[10], 1: images[1][:3]}, table, CARDS)
    with pytest.raises(ValueError, match="table lacks column label_g"):
        write_mock_shard(path, images, table[[name for name in table.colnames if name != "label_g"]], CARDS)
    with pytest.raises(ValueError, match="no SEED in the primary header"):
        write_mock_shard(path, images, table, CARDS[:-1])


def test_pixels_that_are_not_finite_are_named(shard):
    path, images, table = shard
    images[1][2, 5, 5, 0] = np.nan
    write_mock_shard(path, images, table, CARDS)
    with pytest.raises(ValueError, match=r"Y1 of galaxy 2 has pixels that are not finite \(1 galaxies in all\)"):
        read_mock_shard(path)


def test_fits_file_of_another_kind_and_empty_folder_are_refused(tmp_path):
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "mocks-00000.fits")
    with pytest.raises(ValueError, match="not a shard of mocks"):
        read_mock_catalog(tmp_path / "mocks-00000.fits")
    with pytest.raises(FileNotFoundError, match="morph mock"):
        find_mock_shards(tmp_path / "nowhere")
