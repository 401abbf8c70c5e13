import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from photoz_morph.shards.stacks import find_shards, read_catalog, read_shard, survey_of, write_shard
from photoz_morph.sources.formats import open_source
from photoz_morph.surveys import SDSS
from tests.support.samples import colour_stacks
from tests.support.surveys import THREE_BANDS


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "stacks-00000.fits"
    images, table = colour_stacks(6)
    write_shard(path, images, table, SDSS, "simulated", [("SEED", 3, "of the simulation")])
    return path, images, table


def test_shard_comes_back(shard):
    path, images, table = shard
    read_images, read_table, header = read_shard(path)
    assert np.array_equal(read_images, images) and read_images.dtype == np.float32
    assert read_table.colnames == table.colnames
    for name in table.colnames:
        assert np.array_equal(read_table[name], table[name])
    cards = [header[keyword] for keyword in ("SURVEY", "BANDS", "ORIGIN", "SEED")]
    assert cards == ["sdss", "u,g,r,i,z", "simulated", 3]


def test_rows_can_be_read_alone(shard):
    path, images, _ = shard
    rows, table, _ = read_shard(path, np.array([4, 1]))
    assert np.array_equal(rows, images[[4, 1]]) and list(table["obj_id"]) == [4, 1]


def test_flagged_row_keeps_its_nan_pixels(tmp_path):
    images, table = colour_stacks(3)
    images[1] = np.nan
    table["flag"][1] = 1
    write_shard(tmp_path / "stacks-00000.fits", images, table, SDSS, "stacked")
    assert np.isnan(read_shard(tmp_path / "stacks-00000.fits")[0][1]).all()


def test_nan_pixels_name_galaxy_band_and_count(tmp_path):
    images, table = colour_stacks(3)
    images[2, 5, 5:8, 1] = np.nan
    write_shard(tmp_path / "stacks-00000.fits", images, table, SDSS, "stacked")
    with pytest.raises(ValueError, match="stacks-00000.fits: galaxy 2 has 3 pixels in band g that are not finite"):
        read_shard(tmp_path / "stacks-00000.fits")


@pytest.mark.parametrize("fraction", [0.001, 0.3, 0.9, 0.999])
def test_truncated_file_is_named(shard, fraction):
    path = shard[0]
    path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])
    with pytest.raises(ValueError, match="stacks-00000.fits: cannot be read as a shard of stacks .* make it again"):
        read_shard(path)


def test_other_band_order_is_refused(shard):
    with fits.open(shard[0], mode="update") as hdus:
        hdus[0].header["BANDS"] = "g,r,i,z,u"
    with pytest.raises(ValueError, match="bands are g,r,i,z,u, sdss needs u,g,r,i,z in order"):
        read_catalog(shard[0])


def test_other_size_is_refused(shard):
    path, images, table = shard
    with pytest.raises(ValueError, match=r"image cube has shape \(6, 32, 32, 5\)"):
        write_shard(path, images[:, :32, :32], table, SDSS, "simulated")
    with fits.open(path) as hdus:
        hdus["IMAGE"].data = images[:, :32, :32]
        hdus.writeto(path, overwrite=True)
    with pytest.raises(ValueError, match=r"image cube has shape \(6, 32, 32, 5\), sdss stacks of its 6 galaxies need"):
        read_catalog(path)


def test_missing_column_is_named(shard):
    path, images, table = shard
    table.remove_column("ebv")
    with pytest.raises(ValueError, match="table lacks column ebv"):
        write_shard(path, images, table, SDSS, "simulated")


def test_any_other_fits_file_is_refused(tmp_path):
    path = tmp_path / "stacks-00000.fits"
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(path)
    with pytest.raises(ValueError, match="no SURVEY, BANDS, ORIGIN, PIXSCALE, BUNIT in the primary header"):
        read_catalog(path)


def test_empty_folder_says_how_to_fill_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="photoz simulate"):
        find_shards(tmp_path)


def test_names_that_differ_in_case_only_are_refused_by_writer_and_reader(tmp_path):
    images, table = colour_stacks(3)
    table["RA"] = 1.0
    path = tmp_path / "stacks-00000.fits"
    with pytest.raises(ValueError, match=f"^{path}: columns ra and RA differ only in letter case; rename one"):
        write_shard(path, images, table, SDSS, "simulated")
    table.rename_column("RA", "PQ")
    write_shard(path, images, table, SDSS, "simulated")
    path.write_bytes(path.read_bytes().replace(b"'PQ      '", b"'RA      '"))
    with pytest.raises(ValueError, match=f"^{path}: columns ra and RA differ only in letter case; rename one"):
        read_catalog(path)


def test_astropy_writes_the_table_of_a_shard_again_without_a_warning(shard, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Table.read(shard[0], hdu="CATALOG").write(tmp_path / "again.fits")


def tiny_stacks(n):
    """Images and table of galaxies of the survey of three bands."""
    table = Table({"obj_id": np.arange(n), "group_id": np.arange(n), "ra": np.zeros(n), "dec": np.zeros(n)})
    table["z_spec"], table["ebv"], table["flag"] = 0.1, 0.02, np.zeros(n, np.int32)
    return np.random.default_rng(0).normal(size=(n, *THREE_BANDS.image_shape)).astype(np.float32), table


def test_a_shard_describes_a_survey_that_no_installation_knows(tmp_path):
    path = tmp_path / "stacks-00000.fits"
    images, table = tiny_stacks(4)
    write_shard(path, images, table, THREE_BANDS, "stacked")
    read_images, _, header = read_shard(path)
    assert np.array_equal(read_images, images) and survey_of(path, header) == THREE_BANDS
    assert open_source(tmp_path).survey == THREE_BANDS


def test_shards_of_sdss_have_the_cards_that_they_always_had(shard):
    header = fits.getheader(shard[0])
    assert [keyword for keyword in header if keyword not in ("SIMPLE", "BITPIX", "NAXIS", "EXTEND")] == [
        "SURVEY", "BANDS", "PIXSCALE", "BUNIT", "ORIGIN", "SEED", "CODE", "CHECKSUM", "DATASUM",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "keyword, value, message",
    [
        ("SURVDESC", None, "unknown survey 'tiny', and no SURVDESC in its header describes it; make the stacks again"),
        ("SURVDESC", "{", "; make the stacks again"),
        ("SURVDESC", "[1]", "SURVDESC: holds"),
        ("SURVEY", "other", "SURVDESC describes tiny, SURVEY is other; make the stacks again"),
        ("BANDS", "B,V,R", "bands are B,V,R, tiny needs V,R,B in order"),
        ("PIXSCALE", 0.5, "PIXSCALE is 0.5, tiny stacks have 0.6"),
    ],
)
def test_a_damaged_description_of_a_survey_is_named(tmp_path, keyword, value, message):
    path = tmp_path / "stacks-00000.fits"
    write_shard(path, *tiny_stacks(2), THREE_BANDS, "stacked")
    with fits.open(path, mode="update") as hdus:
        if value is None:
            del hdus[0].header[keyword]
        else:
            hdus[0].header[keyword] = value
    with pytest.raises(ValueError, match=message) as caught:
        read_catalog(path)
    assert str(caught.value).startswith(f"{path}: ")
