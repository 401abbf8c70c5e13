"""Tables of FITS, CSV and Parquet files as people have them, with gaps in any column.

Whatever a format calls a missing value (an empty cell or one of `UNKNOWN_TEXT` in CSV, TNULL in FITS, null in Parquet)
is masked. Columns keep their names, order and types; integers beyond 64 bits and other text stay text.
"""

import csv
import json
import re
import warnings
import zlib
from pathlib import Path

import numpy as np
from astropy.io import ascii, fits
from astropy.table import MaskedColumn, Table
from astropy.utils.exceptions import AstropyWarning

from photoz_morph.system.columns import require_distinct_names
from photoz_morph.system.sizes import check_fits, check_parquet

TABLE_SUFFIXES = (".fits", ".fits.gz", ".csv", ".parquet")
# Cells of CSV without a value: CasJobs writes null, astropy and TOPCAT nothing or --, pandas NaN or NA, MySQL \N.
UNKNOWN_TEXT = ("", "null", "NULL", "Null", "None", "NaN", "nan", "NA", "N/A", "--", r"\N")
UNREADABLE = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, zlib.error, csv.Error,
    fits.VerifyError, Warning,
)  # fmt: skip


def read_table_file(path, kind="a galaxy catalogue"):
    """Read the table of a FITS, CSV or Parquet file.

    Parameters
    ----------
    path : path-like
        The suffix decides the format. In CSV, lines that start with # are skipped (SkyServer writes one).
    kind : str
        What the file should be, for messages.

    Returns
    -------
    Table
        A column of Parquet that is a list of equally many numbers is a vector; other lists are columns of objects.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the suffix is unknown, the file cannot be read, or names of columns differ only in letter case.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give {kind} ({', '.join(TABLE_SUFFIXES)})")
    name = path.name.lower()
    if not name.endswith(TABLE_SUFFIXES):
        raise ValueError(f"{path}: unknown suffix; give {kind} in one of {', '.join(TABLE_SUFFIXES)}")
    read = {".csv": _read_csv, ".parquet": _read_parquet}.get(Path(name).suffix, _read_fits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)  # of units and of integers that do not fit: see below
            # astropy would return the part that is left
            warnings.filterwarnings("error", message=".*truncated|Error validating")
            return read(path)
    except UNREADABLE as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if reason.startswith(f"{path}: "):  # it is one of ours
            raise
        raise ValueError(f"{path}: cannot be read as {kind}: {reason}") from error


def _read_fits(path):
    """The first extension of a FITS file."""
    check_fits(path)
    with fits.open(path) as hdus:
        require_distinct_names(hdus[1].columns.names, path)
        return Table.read(hdus[1], mask_invalid=False, unit_parse_strict="silent")


def _read_csv(path):
    """All columns of a CSV file."""
    # Spreadsheets put a byte-order mark in front of the first column name; utf-8-sig removes it.
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    if not lines:
        return Table()
    # A column without a name is the row number that pandas writes.
    names = [name.strip() or f"column_{number}" for number, name in enumerate(next(csv.reader(lines)), 1)]
    require_distinct_names(names, path)
    filled = [(text, "0") for text in UNKNOWN_TEXT]
    table = ascii.read(lines, format="csv", guess=False, fill_values=filled, names=names)
    for name in table.colnames:
        if table[name].dtype.kind == "U":
            table[name] = _wide_integers(table[name])
    return table


def _wide_integers(column):
    """Column of text as unsigned integers, if it is one of integers of which some exceed 2^63; else unchanged."""
    mask = np.ma.getmaskarray(np.ma.asarray(column))
    texts = ["0" if is_missing else text for text, is_missing in zip(np.asarray(column), mask)]
    if not all(re.fullmatch(r"\d{1,20}", text) for text in texts):
        return column
    values = [int(text) for text in texts]
    if max(values) >= 2**64:
        return column
    return MaskedColumn(np.array(values, np.uint64), mask=mask, name=column.name)


def _read_parquet(path):
    """All columns of a Parquet file."""
    import pyarrow.parquet  # here, because it loads longer than the rest of the module and few files need it

    with pyarrow.parquet.ParquetFile(path) as file:
        check_parquet(file.metadata, path.stat().st_size)
        content = file.read()
    return columns_of_arrow(content, path)


def columns_of_arrow(content, source):
    """Table of an Arrow table that other programs wrote.

    Parameters
    ----------
    content : pyarrow.Table
    source : path-like
        Origin of the table, for messages.

    Returns
    -------
    Table
        Null is masked. Lists of equally many numbers are vectors, other nested columns are of objects.

    Raises
    ------
    ValueError
        If names of columns differ only in letter case.
    """
    import pyarrow as pa

    require_distinct_names(content.column_names, source)
    table = Table()
    for name, values in _pandas_index(content).items():
        table[name] = values
    for name, column in zip(content.column_names, content.columns):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        table[name] = _parquet_column(column, pa)
    return table


def _pandas_index(content):
    """The named index of a pandas table that is a range of numbers: no column of the file, only named in its header."""
    described = json.loads((content.schema.metadata or {}).get(b"pandas", b"{}"))
    ranges = [index for index in described.get("index_columns", []) if isinstance(index, dict) and index.get("name")]
    return {
        index["name"]: np.arange(index["start"], index["stop"], index["step"])
        for index in ranges
        if index["name"] not in content.column_names
    }


def _parquet_column(column, pa):
    """Values of an Arrow column as an array, masked where null."""
    kind = column.type
    null = column.is_null().to_numpy()
    if pa.types.is_null(kind):
        return MaskedColumn(np.full(len(column), np.nan), mask=null)
    if pa.types.is_decimal(kind):  # of databases, where identifiers are decimals without a fraction
        column = column.cast(pa.int64() if kind.scale == 0 and kind.precision <= 18 else pa.float64(), safe=False)
    elif pa.types.is_date(kind) or pa.types.is_time(kind):
        column = column.cast(pa.string())
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _vectors(column, pa)
    elif pa.types.is_nested(kind):
        return np.array([None, *column.to_pylist()], object)[1:]
    if pa.types.is_floating(column.type):
        values = np.array(column.to_numpy())  # nulls are NaN
    elif pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        # Without filling them, pyarrow turns an integer column with nulls into floats, which rounds 64-bit ids.
        values = np.array(column.fill_null(False if pa.types.is_boolean(column.type) else 0).to_numpy())
    elif pa.types.is_temporal(column.type):
        values = np.array(column.to_numpy())  # nulls are NaT
    else:
        values = np.array(["" if value is None else value for value in column.to_pylist()], object)
    return MaskedColumn(values, mask=null) if null.any() else values


def _vectors(column, pa):
    """Lists of equally many numbers as an array of shape (n, length), others as an array of objects."""
    kind = column.type.value_type
    n_values = np.unique(column.combine_chunks().value_lengths().to_numpy(zero_copy_only=False))
    if (pa.types.is_floating(kind) or pa.types.is_integer(kind)) and len(n_values) == 1 and n_values[0] > 0:
        values = np.concatenate([part.flatten().to_numpy(zero_copy_only=False) for part in column.chunks])
        return values.reshape(len(column), int(n_values[0]))
    return np.array([None, *column.to_pylist()], object)[1:]
