import json
import warnings

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Column, Table

from photoz_morph.system.tables import (
    KEYWORDS,
    from_arrow,
    read_fits,
    read_parquet,
    to_arrow,
    write_fits,
    write_parquet,
)
from tests.support.broken_input import cut_short


@pytest.fixture
def table():
    columns = {
        "obj_id": Column([2**62 + 1, 7, -3], description="identifier"),
        "ebv": Column(np.array([0.1, np.nan, 0.3], np.float32), unit="mag"),
        "pdf": Column(np.arange(12, dtype=np.float32).reshape(3, 4), description="probability"),
        "reason": ["", "no frame", "edge"],
        "is_good": [True, False, True],
    }
    meta = {"survey": "sdss", "n_members": 6, "z_max": 0.4, "trained": True, "run_directory": "runs/a"}
    return Table(columns, meta=meta)


def assert_same(back, table):
    assert back.colnames == table.colnames and back.meta == table.meta
    for name in table.colnames:
        assert back[name].dtype.kind == table[name].dtype.kind and back[name].dtype.isnative
        assert (back[name].unit, back[name].description) == (table[name].unit, table[name].description)
        np.testing.assert_array_equal(np.asarray(back[name]), np.asarray(table[name]))


@pytest.mark.parametrize("write, read", [(write_fits, read_fits), (write_parquet, read_parquet)])
def test_a_table_comes_back(tmp_path, table, write, read):
    before = table.copy()
    write(table, tmp_path / "file")
    assert_same(read(tmp_path / "file"), before)
    assert_same(table, before)


@pytest.mark.parametrize("with_fixed_lists", [True, False])
def test_arrow_keeps_a_table_without_rows(table, with_fixed_lists):
    assert len(from_arrow(to_arrow(table[:0]))) == 0
    assert_same(from_arrow(to_arrow(table, with_fixed_lists)), table)


def test_other_readers_of_fits_see_units_descriptions_and_the_requested_hdus(tmp_path, table):
    image = fits.ImageHDU(np.ones((3, 2), np.float32), name="ORIGINAL")
    write_fits(table, tmp_path / "a.fits", "ATTACK", [image], with_checksum=True)
    with fits.open(tmp_path / "a.fits", checksum=True) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "ATTACK", "ORIGINAL"]
        header = hdus["ATTACK"].header
        assert (header["TUNIT2"], header["TCOMM1"], header["RUN_DIRECTORY"]) == ("mag", "identifier", "runs/a")
        assert all("CHECKSUM" in hdu.header for hdu in hdus)
    assert_same(read_fits(tmp_path / "a.fits", "ATTACK"), table)
    write_fits(table, tmp_path / "a.fits")
    assert "CHECKSUM" not in fits.getheader(tmp_path / "a.fits", 1)


def test_field_metadata_reaches_its_column_only(tmp_path, table):
    write_parquet(table, tmp_path / "a.parquet", {"pdf": {"edges": "[0, 1]"}, "absent": {"edges": "[2]"}})
    schema = pq.read_schema(tmp_path / "a.parquet")
    assert json.loads(schema.field("pdf").metadata[b"edges"]) == [0, 1]
    assert b"edges" not in schema.field("ebv").metadata
    assert_same(read_parquet(tmp_path / "a.parquet"), table)


def test_long_keys_have_keywords_that_astropy_writes_without_a_warning_and_come_back(tmp_path, table):
    table.meta = dict.fromkeys(KEYWORDS, "value") | {"survey": "lsst"}
    write_fits(table, tmp_path / "a.fits", with_checksum=True)
    assert read_fits(tmp_path / "a.fits").meta == table.meta
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Table.read(tmp_path / "a.fits").write(tmp_path / "b.fits")
    assert max(map(len, KEYWORDS.values())) <= 8 and len(set(KEYWORDS.values())) == len(KEYWORDS)


def test_long_keywords_of_earlier_versions_are_read(tmp_path, table):
    write_fits(table, tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits", mode="update") as hdus:
        hdus[1].header["HIERARCH ADAPTATION"] = "mmd"
    assert read_fits(tmp_path / "a.fits").meta["adaptation"] == "mmd"


def test_text_that_fits_does_not_allow_is_written_as_codes(tmp_path, table):
    table["reason"] = ["Sérsic", "", "edge"]
    write_fits(table, tmp_path / "a.fits")
    assert list(read_fits(tmp_path / "a.fits")["reason"]) == [r"S\xe9rsic", "", "edge"]
    assert table["reason"][0] == "Sérsic"
    write_parquet(table, tmp_path / "a.parquet")
    assert read_parquet(tmp_path / "a.parquet")["reason"][0] == "Sérsic"


@pytest.mark.parametrize("write", [write_fits, write_parquet])
def test_names_that_differ_in_case_only_are_refused_by_every_writer(tmp_path, table, write):
    table["EBV"] = 0.1
    with pytest.raises(ValueError, match="columns ebv and EBV differ only in letter case; rename one"):
        write(table, tmp_path / "file")


def test_a_column_of_matrices_is_refused_by_parquet(table):
    table["matrix"] = np.zeros((3, 2, 2))
    with pytest.raises(ValueError, match=r"column matrix has shape \(3, 2, 2\)"):
        to_arrow(table)


def test_a_truncated_fits_table_is_an_error(tmp_path, table):
    write_fits(table, tmp_path / "a.fits")
    cut_short(tmp_path / "a.fits", 0.9)
    with pytest.raises((OSError, ValueError, TypeError, Warning)):
        read_fits(tmp_path / "a.fits")
