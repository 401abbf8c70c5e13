import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table, vstack

from photoz_morph.streaming.joined_files import GROUP_ROWS, join_fits, join_parquet, row_groups, text_widths
from photoz_morph.streaming.parts import OnePart
from photoz_morph.system.tables import read_fits, read_parquet, to_arrow, write_fits
from tests.streaming.test_parts import parts_of

SIZES = (5, 0, 60, 1)


def some_tables():
    """Tables with a column of every kind, and text whose width differs."""
    start, tables = 0, []
    for size in SIZES:
        rows = np.arange(start, start + size)
        names = np.array([f"galaxy {'é' * (row % 7)}" for row in rows], str)
        table = Table(
            {"obj_id": rows, "name": names, "good": rows % 3 == 0, "n": rows.astype("u2"), "z": rows / 7,
             "pdf": np.arange(3 * size, dtype=np.float32).reshape(size, 3)},
            meta={"survey": "sdss", "population": "all", "n_bins": 3},
        )  # fmt: skip
        table["z"].unit, table["pdf"].description = "mag", "of each bin"
        tables.append(table)
        start += size
    return tables


def test_joined_fits_has_the_bytes_of_the_whole_table(tmp_path):
    tables = some_tables()
    join_fits(parts_of(tmp_path, *tables), tmp_path / "joined.fits")
    write_fits(vstack(tables), tmp_path / "whole.fits")
    assert (tmp_path / "joined.fits").read_bytes() == (tmp_path / "whole.fits").read_bytes()
    with fits.open(tmp_path / "joined.fits", checksum=True) as hdus:
        hdus.verify("exception")
        assert hdus[1].header["NAXIS2"] == sum(SIZES)


@pytest.mark.parametrize("join, read", [(join_fits, read_fits), (join_parquet, read_parquet)])
def test_joined_files_read_back_as_the_whole_table(tmp_path, join, read):
    tables = some_tables()
    join(parts_of(tmp_path, *tables), tmp_path / "joined")
    found, whole = read(tmp_path / "joined"), vstack(tables)
    assert found.colnames == whole.colnames and found.meta == whole.meta
    for name in set(whole.colnames) - {"name"}:
        assert found[name].dtype == whole[name].dtype and found[name].description == whole[name].description
        np.testing.assert_array_equal(found[name], whole[name])
    if read is read_parquet:
        assert found["name"].tolist() == whole["name"].tolist()


def test_small_parts_share_a_row_group(tmp_path):
    table = Table({"a": np.arange(GROUP_ROWS)})
    join_parquet(parts_of(tmp_path, *[table[i : i + 1000] for i in range(0, len(table), 1000)]), tmp_path / "joined")
    assert pq.read_metadata(tmp_path / "joined").num_row_groups == 1
    arrow = to_arrow(table)
    assert [len(group) for group in row_groups([arrow] * 3, GROUP_ROWS + 1)] == [2 * GROUP_ROWS, GROUP_ROWS]


def test_widths_are_those_of_the_encoded_text():
    parts = OnePart(Table({"name": ["é", "abc"], "empty": ["", ""]}))
    assert text_widths(parts, "ascii") == {"name": 4, "empty": 1}
    assert text_widths(parts, "utf-8") == {"name": 3, "empty": 1}
