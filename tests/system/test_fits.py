import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from photoz_morph.system.fits import open_fits, primary_hdu, read_table, require_cards
from tests.support.broken_input import cut_short, flipped

CARDS = [("SURVEY", "sdss", "of the images"), ("PIXSCALE", 0.396, "[arcsec]")]


@pytest.fixture
def path(tmp_path):
    table = fits.BinTableHDU(Table({"obj_id": [1, 2], "reason": ["", "no frame"]}), name="CATALOG")
    hdus = [primary_hdu(CARDS), fits.ImageHDU(np.arange(30_000.0), name="IMAGE"), table]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits", checksum=True)
    return tmp_path / "a.fits"


def test_cards_have_their_values_and_comments(path):
    header = fits.getheader(path)
    assert [(card, header[card], header.comments[card]) for card in ("SURVEY", "PIXSCALE")] == CARDS


def test_a_changed_bit_is_found_by_the_checksum_alone(path):
    flipped(offset=100_000)(path)
    with open_fits(path, "a shard") as hdus:
        assert hdus["IMAGE"].shape == (30_000,)
    with pytest.raises(ValueError, match="a.fits: cannot be read as a shard .*hecksum.*; make it again"):
        with open_fits(path, "a shard", with_checksum=True) as hdus:
            hdus["IMAGE"].data.sum()


def test_a_truncated_file_is_one_line_that_names_kind_and_remedy(path):
    cut_short(path)
    with pytest.raises(ValueError, match="a.fits: cannot be read as a shard .*; fetch it again$") as error:
        with open_fits(path, "a shard", "fetch it again") as hdus:
            hdus["CATALOG"].data.sum()
    assert "\n" not in str(error.value)


def test_errors_of_the_block_are_translated_unless_they_name_the_file(path):
    with (
        pytest.raises(ValueError, match="a.fits: cannot be read as a shard .*MASK"),
        open_fits(path, "a shard") as hdus,
    ):
        hdus["MASK"]
    with pytest.raises(ValueError, match=r"a.fits: 3 galaxies$"), open_fits(path, "a shard"):
        raise ValueError(f"{path}: 3 galaxies")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="b.fits: no such file; give a shard"):
        with open_fits(tmp_path / "b.fits", "a shard"):
            pass


def test_missing_and_wrong_cards_are_named(path):
    header = fits.getheader(path)
    require_cards(path, header, ("SURVEY",), "a shard", {"PIXSCALE": 0.396}, "sdss stacks")
    with pytest.raises(ValueError, match="a.fits: no BANDS, ORIGIN in the primary header; not a shard"):
        require_cards(path, header, ("BANDS", "SURVEY", "ORIGIN"), "a shard")
    with pytest.raises(ValueError, match="PIXSCALE is 0.396, lsst mocks have 0.2; make them again"):
        require_cards(path, header, (), "a shard", {"PIXSCALE": 0.2}, "lsst mocks")


def test_table_has_text_and_no_cards_of_its_file(path):
    with fits.open(path) as hdus:
        table = read_table(path, hdus["CATALOG"], ("obj_id",))
        assert list(table["reason"]) == ["", "no frame"] and table["reason"].dtype.kind == "U" and not table.meta
        with pytest.raises(ValueError, match="a.fits: table lacks column ra, dec; stack again"):
            read_table(path, hdus["CATALOG"], ("obj_id", "ra", "dec"), "stack again")
