"""Gaps and other troubles of tables in CSV, FITS and Parquet files."""

import datetime
import decimal
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from photoz_morph.catalogs.table_files import UNKNOWN_TEXT, read_table_file


def mask_of(column):
    return np.ma.getmaskarray(np.ma.asarray(column)).tolist()


@pytest.mark.parametrize("text", UNKNOWN_TEXT)
def test_every_spelling_of_a_missing_value_of_csv_is_masked(tmp_path, text):
    (tmp_path / "a.csv").write_text(f"obj_id,z,name\n1,0.5,a\n2,{text},{text}\n3,{text},c\n")
    table = read_table_file(tmp_path / "a.csv")
    unknown = mask_of(table["z"]) if text.lower() != "nan" else np.isnan(np.ma.filled(table["z"], np.nan)).tolist()
    assert unknown == [False, True, True] and table["z"].dtype.kind == "f"
    assert mask_of(table["name"]) == [False, True, False] and table["name"][2] == "c"


def test_csv_integers_beyond_63_bits_are_unsigned_without_a_warning(tmp_path, recwarn):
    (tmp_path / "a.csv").write_text("specObjID\n845594848269461504\n\"10000000000000000037\"\nnull\n")
    column = read_table_file(tmp_path / "a.csv")["specObjID"]
    assert column.dtype == np.uint64 and column[1] == 10000000000000000037 and mask_of(column)[2]
    (tmp_path / "a.csv").write_text("number\n1\n100000000000000000000037\n")
    assert read_table_file(tmp_path / "a.csv")["number"][1] == "100000000000000000000037"
    assert not recwarn.list


def test_csv_of_skyserver_pandas_and_spreadsheets_are_read(tmp_path):
    for text in ("#Table1\nobjID,ra\n5,1.5\n", "\ufeffobjID,ra\r\n5,1.5\r\n", "objID , ra\n\n 5 , 1.5 \n"):
        (tmp_path / "a.csv").write_text(text, encoding="utf-8")
        table = read_table_file(tmp_path / "a.csv")
        assert table.colnames == ["objID", "ra"] and table["objID"][0] == 5 and table["ra"][0] == 1.5
    (tmp_path / "a.csv").write_text(",objID,ra\n0,5,1.5\n")  # DataFrame.to_csv without index=False
    assert read_table_file(tmp_path / "a.csv").colnames == ["column_1", "objID", "ra"]


def test_tnull_of_fits_is_masked_and_unsigned_integers_keep_their_bits(tmp_path):
    table = Table({"plate": MaskedColumn([1, 2], mask=[False, True]), "spec": np.array([1, 2**64 - 1], np.uint64)})
    table.write(tmp_path / "a.fits")
    back = read_table_file(tmp_path / "a.fits")
    assert mask_of(back["plate"]) == [False, True] and back["spec"][1] == 2**64 - 1


@pytest.mark.parametrize(
    "values, expected",
    [
        (pa.array([4, None], pa.int64()), [4, None]),
        (pa.array([None, 2**64 - 1], pa.uint64()), [None, 2**64 - 1]),
        (pa.array(["QSO", None]), ["QSO", None]),
        (pa.array(["QSO", None], pa.large_string()), ["QSO", None]),
        (pa.array([b"QSO", None]), [b"QSO", None]),
        (pa.array(["QSO", None]).dictionary_encode(), ["QSO", None]),
        (pa.array([True, None]), [True, None]),
        (pa.array([0.5, None], pa.float32()), [0.5, None]),
        (pa.array([decimal.Decimal("1237648720693755918"), None], pa.decimal128(18 + 1, 0)).cast(pa.decimal128(19, 0)),
         [1237648720693755918, None]),
        (pa.array([decimal.Decimal("0.25"), None], pa.decimal128(6, 3)), [0.25, None]),
        (pa.array([datetime.datetime(2004, 3, 17), None]), [np.datetime64("2004-03-17T00:00:00.000000"), None]),
        (pa.array([datetime.date(2004, 3, 17), None]), ["2004-03-17", None]),
        (pa.array([None, None]), [None, None]),
    ],
)  # fmt: skip
def test_nulls_of_parquet_are_masked_in_columns_of_any_type(tmp_path, values, expected):
    pyarrow.parquet.write_table(pa.table({"x": values}), tmp_path / "a.parquet")
    column = read_table_file(tmp_path / "a.parquet")["x"]
    assert mask_of(column) == [value is None for value in expected]
    known = [value for value in expected if value is not None]
    assert [value for value in column if value is not np.ma.masked] == known


def test_lists_of_equally_many_numbers_in_parquet_are_vectors(tmp_path):
    content = {
        "mags": pa.array([[1.0, 2.0], [3.0, 4.0]]),
        "fixed": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        "ragged": pa.array([[1.0], [3.0, 4.0]]),
        "record": pa.array([{"a": 1}, {"a": 2}]),
    }
    pyarrow.parquet.write_table(pa.table(content), tmp_path / "a.parquet")
    table = read_table_file(tmp_path / "a.parquet")
    np.testing.assert_array_equal(table["mags"], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(table["fixed"], [[1, 2], [3, 4]])
    assert table["ragged"].dtype == table["record"].dtype == object and len(table["ragged"]) == 2


@pytest.mark.parametrize("index", [{"kind": "range", "name": "obj_id", "start": 7, "stop": 13, "step": 3}, "obj_id"])
def test_the_index_of_pandas_is_a_column(tmp_path, index):
    columns = {"ra": [1.0, 2.0]} | ({"obj_id": [7, 10]} if index == "obj_id" else {})
    stored = pa.table(columns).replace_schema_metadata({"pandas": json.dumps({"index_columns": [index]})})
    pyarrow.parquet.write_table(stored, tmp_path / "a.parquet")
    assert read_table_file(tmp_path / "a.parquet")["obj_id"].tolist() == [7, 10]


def write_csv(path):
    path.write_text("ra,dec,RA\n1,2,3\n")


def write_fits(path):
    columns = [fits.Column(name, "D", array=[1.0]) for name in ("ra", "dec", "other")]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    path.write_bytes(path.read_bytes().replace(b"'other   '", b"'RA      '"))


def write_parquet(path):
    pyarrow.parquet.write_table(pa.table({"ra": [1.0], "dec": [2.0], "RA": [3.0]}), path)


@pytest.mark.parametrize("suffix, write", [(".csv", write_csv), (".fits", write_fits), (".parquet", write_parquet)])
def test_names_that_differ_in_case_only_are_refused_in_every_format(tmp_path, suffix, write):
    path = tmp_path / f"a{suffix}"
    write(path)
    with pytest.raises(ValueError, match=f"^{path}: columns ra and RA differ only in letter case; rename one"):
        read_table_file(path)
