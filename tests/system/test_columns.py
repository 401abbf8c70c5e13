import numpy as np
import pytest
from astropy import units
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time

from photoz_morph.system.columns import ascii_text, plain_column, plain_columns, require_distinct_names

OBJ_ID = 1237648720693755918  # a 60-bit identifier: a float64 would round it


def test_plain_columns_are_native_numbers_and_text_without_masks():
    mask = [False, True]
    table = plain_columns(
        Table(
            {
                "ra": MaskedColumn(np.array([1.0, 2.0], ">f8"), mask=mask, unit="deg"),
                "reason": MaskedColumn([b"no frame", b"edge"], mask=mask),
                "run": np.array(["756", b"752"], object),
                "name": np.array([b"S\xe9rsic", "a"], object),
            }
        )
    )
    assert table["ra"].dtype == np.dtype("f8") and str(table["ra"].unit) == "deg"
    np.testing.assert_array_equal(table["ra"], [1.0, np.nan])
    assert list(table["reason"]) == ["no frame", ""] and list(table["run"]) == ["756", "752"]
    assert list(table["name"]) == [r"S\xe9rsic", "a"]


@pytest.mark.parametrize("dtype", ["i2", ">i4", "u1", "i8"])
def test_integers_with_gaps_become_floats_with_nan(dtype):
    plain = plain_column(MaskedColumn(np.array([4, 0, 7], dtype), mask=[False, True, False], name="zWarning"))
    np.testing.assert_array_equal(plain, [4, np.nan, 7])
    assert plain.name == "zWarning" and plain.dtype == np.dtype("f8")


def test_booleans_with_gaps_become_floats_with_nan():
    np.testing.assert_array_equal(plain_column(MaskedColumn([True, False, True], mask=[0, 1, 0])), [1, np.nan, 1])


@pytest.mark.parametrize("values", [np.array([OBJ_ID, 0]), np.array([2**64 - 1, 0], np.uint64), np.array([-OBJ_ID, 0])])
def test_identifiers_with_gaps_are_never_rounded(values):
    assert list(plain_column(MaskedColumn(values, mask=[False, True]))) == [str(values[0]), ""]


def test_times_become_iso_text():
    times = np.array(["2004-03-17T01:02:03", "NaT"], "datetime64[s]")
    assert list(plain_column(Table({"t": times})["t"])) == ["2004-03-17T01:02:03", ""]
    table = Table({"t": Time(["2004-03-17T01:02:03"])})
    assert list(plain_columns(table)["t"]) == ["2004-03-17T01:02:03.000"]


def test_types_that_fits_lacks_become_those_it_has():
    table = plain_columns(Table({"half": np.array([0.5], np.float16), "byte": np.array([-3], np.int8)}))
    assert (table["half"].dtype, table["byte"].dtype) == (np.float32, np.int16)
    assert (table["half"][0], table["byte"][0]) == (0.5, -3)
    quantity = plain_column(QTable({"fwhm": [1.5] * units.arcsec})["fwhm"])
    assert str(quantity.unit) == "arcsec" and quantity[0] == 1.5


@pytest.mark.parametrize(
    "values, message",
    [
        (np.array([1j]), "column x holds values of type complex128; leave it out"),
        (np.array([["a", "b"]]), "column x holds lists of text"),
        (np.array([None, [1.0, 2.0]], object)[1:], "column x holds lists of different lengths"),
    ],
)
def test_columns_that_no_format_holds_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        plain_columns(Table({"x": values}))


def test_names_that_differ_in_case_only_are_named_together():
    with pytest.raises(ValueError, match="^a.csv: columns Ra and RA differ only in letter case; rename one"):
        require_distinct_names(["obj_id", "Ra", "dec", "RA"], "a.csv")
    with pytest.raises(ValueError, match="^column ra occurs twice"):
        require_distinct_names(["ra", "dec", "ra"])
    require_distinct_names(["ra", "dec"])


def test_ascii_text_keeps_text_that_is_ascii():
    table = ascii_text(Table({"name": ["Sérsic", "disk"], "x": [1, 2]}))
    assert list(table["name"]) == [r"S\xe9rsic", "disk"] and list(table["x"]) == [1, 2]
