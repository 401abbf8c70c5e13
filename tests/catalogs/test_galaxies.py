"""Galaxy tables as people bring them, and folds."""

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from photoz_morph.catalogs.galaxies import check_galaxy_catalog, read_galaxy_catalog

SDSS_OBJ_ID = 1237648720693755918  # a 60-bit identifier: a float64 would round it


def galaxies(**columns):
    """Three good rows, with some columns replaced or, where None, left out."""
    table = {"obj_id": SDSS_OBJ_ID + np.arange(3), "ra": [0.0, 359.9999, 10.5], "dec": [-90.0, 90.0, 0.0]}
    table = {name: column for name, column in {**table, **columns}.items() if column is not None}
    return Table(table)


def write(table, path):
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table({name: list(table[name]) for name in table.colnames}), path)
    else:
        table.write(path, format={".csv": "ascii.csv", ".fits": "fits"}[path.suffix])
    return path


@pytest.mark.parametrize("suffix", [".fits", ".csv", ".parquet"])
def test_catalogue_comes_back_as_it_was_written(tmp_path, suffix):
    table = galaxies(z_spec=[0.1, 0.2, 0.3], petro_r=[17.1, 16.5, 15.0], name=["a", "b", "c"])
    read = read_galaxy_catalog(write(table, tmp_path / f"galaxies{suffix}"))
    assert read["obj_id"].dtype == np.int64 and read["ra"].dtype == np.float64
    for name in table.colnames:
        np.testing.assert_array_equal(read[name], table[name])
    np.testing.assert_array_equal(read["group_id"], table["obj_id"])
    assert np.isnan(read["ebv"]).all()


@pytest.mark.parametrize("suffix", [".fits", ".csv", ".parquet"])
def test_empty_redshift_is_nan_and_the_row_stays(tmp_path, suffix):
    path = tmp_path / f"galaxies{suffix}"
    if suffix == ".parquet":
        columns = {"obj_id": [3, 2, 1], "ra": [1.0, 2.0, 3.0], "dec": [0.0] * 3, "z_spec": [0.1, None, 0.3]}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    else:
        write(galaxies(obj_id=[3, 2, 1], z_spec=MaskedColumn([0.1, 0.2, 0.3], mask=[False, True, False])), path)
    read = read_galaxy_catalog(path)
    assert read["obj_id"].tolist() == [3, 2, 1]
    np.testing.assert_array_equal(read["z_spec"], [0.1, np.nan, 0.3])


def test_column_names_match_in_any_letter_case(tmp_path):
    table = galaxies()
    table.rename_columns(["obj_id", "ra", "dec"], ["OBJ_ID", "RA", "Dec"])
    table["PetroMag_r"] = 17.0
    read = read_galaxy_catalog(write(table, tmp_path / "galaxies.csv"))
    assert {"obj_id", "ra", "dec", "PetroMag_r"} <= set(read.colnames)


def test_first_line_of_skyserver_and_byte_order_mark_are_skipped(tmp_path):
    path = tmp_path / "galaxies.csv"
    path.write_text("#Table1\nobj_id,ra,dec\n1,10.0,5.0\n")
    assert read_galaxy_catalog(path)["obj_id"].tolist() == [1]
    path.write_text("\ufeffobj_id,ra,dec\n1,10.0,5.0\n", encoding="utf-8")
    assert read_galaxy_catalog(path)["obj_id"].tolist() == [1]


def test_degrees_by_unit_are_accepted():
    table = galaxies()
    table["ra"].unit = table["dec"].unit = units.deg
    assert len(check_galaxy_catalog(table, "catalogue")) == 3


@pytest.mark.parametrize(
    "columns, message",
    [
        ({"ra": None}, r"column ra is missing \(columns found: obj_id, dec\); add it, or rename"),
        ({"RA": [1.0, 2.0, 3.0]}, "columns ra and RA differ only in letter case"),
        (
            {"ra": [1.0, 360.0, 3.0]},
            rf"ra of obj_id {SDSS_OBJ_ID + 1} is 360.0 .* in \[0, 360\); add or subtract 360",
        ),
        ({"ra": [1.0, -20.0, 3.0]}, "ra of obj_id .* is -20.0"),
        ({"dec": [1.0, 2.0, 90.01]}, rf"dec of obj_id {SDSS_OBJ_ID + 2} is 90.01"),
        ({"dec": [1.0, np.nan, 3.0]}, "dec of obj_id .* is nan"),
        ({"ra": MaskedColumn([1.0, 2.0, 3.0], mask=[1, 0, 0])}, "ra of obj_id .* is nan"),
        ({"ra": ["12:30:00", "1", "2"]}, "ra in row 1 is '12:30:00', which is no number; write decimal numbers"),
        ({"ra": [1.0, -9999.0, 2.0]}, rf"ra of obj_id {SDSS_OBJ_ID + 1} is -9999.0 \(1 such rows\)"),
        ({"z_spec": [0.1, 25.0, 0.1]}, rf"z_spec of obj_id {SDSS_OBJ_ID + 1} is 25.0 .*leave it empty where"),
        ({"z_spec": [0.1, -1.0, 0.1]}, "z_spec of obj_id .* is -1.0"),
        ({"z_spec": [0.1, np.inf, 0.1]}, "z_spec of obj_id .* is inf"),
        ({"ra": [1.0, 2.0, 3.0] * units.rad}, "ra has unit rad; convert it to decimal degrees"),
        ({"ra": [1.0, 2.0, 3.0] * units.hourangle}, "ra has unit hourangle; convert it"),
        ({"obj_id": [7, 5, 5]}, "obj_id 5 occurs 2 times"),
        ({"obj_id": [1.0, 2.0, 3.0]}, "obj_id holds floats, which round identifiers .*write it as 64-bit integers"),
        ({"obj_id": ["a", "b", "c"]}, "obj_id in row 1 is 'a', which is no integer"),
        ({"obj_id": np.array([1, 2, 2**63], np.uint64)}, "obj_id in row 3 is 9223372036854775808; identifiers are"),
        ({"obj_id": MaskedColumn([1, 2, 3], mask=[0, 1, 0])}, "obj_id is empty in row 2"),
        ({"group_id": [1.5, 2.0, 3.0]}, "group_id holds floats, which round identifiers"),
        ({"ebv": [0.1, -0.02, 0.1]}, rf"ebv of obj_id {SDSS_OBJ_ID + 1} is -0.02 .*leave it empty"),
    ],
)
def test_unusable_catalogue_says_what_where_and_what_to_do(columns, message):
    with pytest.raises(ValueError, match=f"^my.fits: {message}") as error:
        check_galaxy_catalog(galaxies(**columns), "my.fits")
    assert "\n" not in str(error.value)


def test_file_is_checked_like_a_table(tmp_path):
    path = write(galaxies(ra=[1.0, 2.0, 3.0] * units.rad), tmp_path / "my.fits")
    with pytest.raises(ValueError, match="my.fits: ra has unit rad; convert it to decimal degrees"):
        read_galaxy_catalog(path)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("galaxies.txt", b"obj_id ra dec", "unknown suffix; .* one of .fits, .fits.gz, .csv, .parquet"),
        ("galaxies.csv", b"", r"column obj_id is missing \(columns found: none\)"),
        ("galaxies.csv", b"obj_id,ra,dec\n", "the catalogue has no rows"),
        ("galaxies.csv", b"obj_id,ra,dec\n1,2\n1,2,3,4,5\n", "cannot be read as a galaxy catalogue"),
        ("galaxies.csv", b"\xff\xfe\x00\x01\n\x00", "cannot be read as a galaxy catalogue"),
        ("galaxies.fits", b"not FITS" * 1000, "cannot be read as a galaxy catalogue"),
        ("galaxies.fits", b"", "cannot be read as a galaxy catalogue"),
        ("galaxies.parquet", b"not Parquet" * 1000, "cannot be read as a galaxy catalogue"),
    ],
)
def test_unreadable_file_is_named_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}: {message}") as error:
        read_galaxy_catalog(tmp_path / name)
    assert "\n" not in str(error.value)


def test_image_given_as_catalogue_is_named(tmp_path):
    fits.writeto(tmp_path / "frame.fits", np.zeros((4, 4)))
    with pytest.raises(ValueError, match="frame.fits: cannot be read as a galaxy catalogue"):
        read_galaxy_catalog(tmp_path / "frame.fits")


def test_missing_file_is_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="galaxies.csv: no such file"):
        read_galaxy_catalog(tmp_path / "galaxies.csv")


def test_nulls_of_parquet_do_not_round_identifiers(tmp_path):
    path = tmp_path / "galaxies.parquet"
    ids = pyarrow.array([SDSS_OBJ_ID, SDSS_OBJ_ID + 1])
    content = {"obj_id": ids, "ra": [1.0, 2.0], "dec": [0.0, 0.0], "plate": [None, 266], "note": [None, "x"]}
    content["empty"] = [None, None]
    pyarrow.parquet.write_table(pyarrow.table(content), path)
    read = read_galaxy_catalog(path)
    assert read["obj_id"].tolist() == ids.to_pylist()
    np.testing.assert_array_equal(read["plate"], [np.nan, 266])
    content["obj_id"] = pyarrow.array([SDSS_OBJ_ID, None])
    pyarrow.parquet.write_table(pyarrow.table(content), path)
    with pytest.raises(ValueError, match="obj_id is empty in row 2"):
        read_galaxy_catalog(path)


@pytest.mark.parametrize("suffix", [".fits", ".csv", ".parquet"])
def test_gaps_in_columns_that_nobody_needs_are_carried_in_every_format(tmp_path, suffix):
    content = {
        "obj_id": [1, 2], "ra": [1.0, 2.0], "dec": [0.0, 0.0], "zWarning": [None, 4], "subclass": [None, "AGN"],
        "specObjID": [10**19 + 37, None], "firstID": [None, SDSS_OBJ_ID],
        "z_spec": [0.1, -9999.0], "ebv": [None, -99.0],
    }  # fmt: skip
    path = tmp_path / f"galaxies{suffix}"
    if suffix == ".parquet":
        types = {"specObjID": pyarrow.uint64()}
        columns = {name: pyarrow.array(values, types.get(name)) for name, values in content.items()}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    else:
        table = Table()
        for name, values in content.items():
            mask = [value is None for value in values]
            filled = [next(one for one in values if one is not None) if value is None else value for value in values]
            kind = np.uint64 if name == "specObjID" else None
            table[name] = MaskedColumn(np.array(filled, kind), mask=mask)
        write(table, path)
    read = read_galaxy_catalog(path)
    assert not read.has_masked_values
    np.testing.assert_array_equal(read["zWarning"], [np.nan, 4])
    assert list(read["subclass"]) == ["", "AGN"]
    assert list(read["specObjID"]) == ["10000000000000000037", ""] and list(read["firstID"]) == ["", str(SDSS_OBJ_ID)]
    np.testing.assert_array_equal(read["z_spec"], [0.1, np.nan])
    assert np.isnan(read["ebv"]).all()


def test_positions_that_nobody_needs_may_be_missing_or_unknown():
    table = galaxies(ra=[-9999.0, np.nan, 99.0], dec=[-9999.0, 1.0, 99.0])
    read = check_galaxy_catalog(table, "catalogue", needs=())
    np.testing.assert_array_equal(read["ra"], [np.nan, np.nan, 99])
    np.testing.assert_array_equal(read["dec"], [np.nan, 1, np.nan])
    assert "ra" not in check_galaxy_catalog(galaxies(ra=None), "catalogue", needs=()).colnames
    with pytest.raises(ValueError, match="ra of obj_id .* is 360.0"):
        check_galaxy_catalog(galaxies(ra=[1.0, 360.0, 2.0]), "catalogue", needs=())


def test_columns_that_no_format_holds_are_left_out_with_a_remark():
    table = galaxies(lists=np.array([None, [1], [1, 2], [3]], object)[1:], cube=np.zeros((3, 2, 2)), größe=[1, 2, 3])
    with pytest.warns(UserWarning, match="^my.fits: column lists holds lists .* is left out; column cube has an array"):
        read = check_galaxy_catalog(table, "my.fits")
    assert {"lists", "cube", "größe"}.isdisjoint(read.colnames) and len(read) == 3


def test_a_checked_catalogue_passes_the_check_again_unchanged_and_in_silence(recwarn):
    first = check_galaxy_catalog(galaxies(z_spec=[0.1, np.nan, 0.3], note=["a", "", "b"], z=[15.0, 16.0, 17.0]), "a")
    again = check_galaxy_catalog(first, "a")
    assert again.colnames == first.colnames and not recwarn.list
