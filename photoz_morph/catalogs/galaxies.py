"""Galaxy catalogues: reading and checking.

A galaxy table has `obj_id` (64-bit integer), `ra` and `dec` [deg, ICRS], and may have `group_id`, `z_spec` and
`ebv` [mag]. It is read from a FITS, CSV or Parquet file and validated before any other work.
"""

import warnings
from pathlib import Path

import numpy as np
from astropy import units
from astropy.io import ascii, fits
from astropy.table import MaskedColumn, Table

CATALOG_SUFFIXES = (".fits", ".fits.gz", ".csv", ".parquet")
UNREADABLE = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, fits.VerifyError, Warning,
)  # fmt: skip
REQUIRED_CATALOG_COLUMNS = ("obj_id", "ra", "dec")
OPTIONAL_CATALOG_COLUMNS = ("group_id", "z_spec", "ebv")


def read_galaxy_catalog(path):
    """Read and check the galaxies of a FITS, CSV or Parquet file, in the order of the file.

    Parameters
    ----------
    path : path-like
        The suffix decides the format. In CSV, lines that start with # are skipped (SkyServer writes one).

    Returns
    -------
    Table
        See `check_galaxy_catalog`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file cannot be read, or its table does not pass `check_galaxy_catalog`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give a galaxy catalogue ({', '.join(CATALOG_SUFFIXES)})")
    name = path.name.lower()
    if not name.endswith(CATALOG_SUFFIXES):
        raise ValueError(
            f"{path}: unknown suffix; give a galaxy catalogue in one of {', '.join(CATALOG_SUFFIXES)}"
        )
    try:
        if name.endswith((".fits", ".fits.gz")):
            with warnings.catch_warnings():
                # astropy would return the part that is left
                warnings.filterwarnings("error", message=".*truncated|Error validating")
                table = Table.read(path, format="fits", hdu=1, mask_invalid=False, unit_parse_strict="silent")
        elif name.endswith(".csv"):
            # Spreadsheets put a byte-order mark in front of the first column name; utf-8-sig removes it.
            lines = path.read_text(encoding="utf-8-sig").splitlines()
            table = ascii.read(lines, format="csv", comment="#", guess=False) if any(lines) else Table()
        else:
            table = _read_parquet(path)
    except UNREADABLE as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path}: cannot be read as a galaxy catalogue: {reason}") from error
    return check_galaxy_catalog(table, path)


def check_galaxy_catalog(table, source):
    """Check a galaxy table and convert its columns to their names and types.

    Parameters
    ----------
    table : Table
        Columns `obj_id`, `ra`, `dec`, and where known `group_id`, `z_spec`, `ebv`, in any letter case; other
        columns are kept.
    source : path-like
        Origin of the table, for messages.

    Returns
    -------
    Table
        A copy. `obj_id` and `group_id` are int64 (`group_id` is `obj_id` where not given), `ra`, `dec` [deg],
        `z_spec` and `ebv` [mag] float64 (NaN where not given).

    Raises
    ------
    ValueError
        If the table is empty, a required column is missing or has an unusable value, or an `obj_id` occurs twice.
    """
    table = Table(table, copy=True)
    _name_columns(table, source)
    if len(table) == 0:
        raise ValueError(f"{source}: the catalogue has no rows; give at least one galaxy")
    table["obj_id"] = _integers(table["obj_id"], source)
    obj_id = np.asarray(table["obj_id"])
    table["group_id"] = _integers(table["group_id"], source) if "group_id" in table.colnames else obj_id
    unique, first, count = np.unique(obj_id, return_index=True, return_counts=True)
    if np.any(count > 1):
        repeated = obj_id[first[count > 1].min()]
        raise ValueError(
            f"{source}: obj_id {repeated} occurs {count[unique == repeated][0]} times "
            f"({len(obj_id) - len(unique)} repeated rows in all); keep one row per galaxy"
        )
    for name, lowest, highest in (("ra", 0, 360), ("dec", -90, 90)):
        if table[name].unit not in (None, units.deg):
            raise ValueError(f"{source}: {name} has unit {table[name].unit}; convert it to decimal degrees")
        values = _floats(table[name], source)
        with np.errstate(invalid="ignore"):
            inside = (values >= lowest) & ((values < highest) if name == "ra" else (values <= highest))
        if not inside.all():
            row = np.argmin(inside)
            allowed = "[0, 360); add or subtract 360" if name == "ra" else "[-90, 90]"
            raise ValueError(
                f"{source}: {name} of obj_id {obj_id[row]} is {values[row]} ({np.sum(~inside)} such rows); it "
                f"must be in degrees, in {allowed}"
            )
        table[name] = values
    for name in ("z_spec", "ebv"):
        table[name] = _floats(table[name], source) if name in table.colnames else np.full(len(table), np.nan)
    wrong = np.isinf(table["ebv"]) | (table["ebv"] < 0)
    if wrong.any():
        raise ValueError(
            f"{source}: ebv of obj_id {obj_id[wrong][0]} is {table['ebv'][wrong][0]} ({wrong.sum()} such rows); "
            "E(B-V) is not negative, leave it empty to take it from the dust map"
        )
    return table


def _read_parquet(path):
    """Flat columns of a Parquet file; nulls become masked values."""
    import pyarrow.parquet  # here, because it loads longer than the rest of the module and few files need it

    table = Table()
    content = pyarrow.parquet.read_table(path)
    for name, column in zip(content.column_names, content.columns):
        if pyarrow.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pyarrow.types.is_nested(column.type):
            raise ValueError(f"column {name} is a {column.type}; keep columns of plain numbers and text only")
        null = column.is_null().to_numpy()
        if not null.any():
            values = column.to_numpy()
        elif pyarrow.types.is_null(column.type):
            values = np.full(len(column), np.nan)
        else:
            # pyarrow turns an integer column with nulls into floats, which rounds 64-bit ids.
            values = column.fill_null("" if pyarrow.types.is_string(column.type) else 0).to_numpy()
        if values.dtype == object:
            values = values.astype(str)
        table[name] = MaskedColumn(values, mask=null) if null.any() else values
    return table


def _name_columns(table, source):
    """Rename the known columns to lower case; refuse names that FITS could not tell apart."""
    lower = [name.lower() for name in table.colnames]
    for name in lower:
        if lower.count(name) > 1:
            both = [column for column in table.colnames if column.lower() == name]
            raise ValueError(f"{source}: columns {' and '.join(both)} differ only in letter case; rename one")
    for column, name in zip(list(table.colnames), lower):
        if name in REQUIRED_CATALOG_COLUMNS + OPTIONAL_CATALOG_COLUMNS and column != name:
            table.rename_column(column, name)
    for name in REQUIRED_CATALOG_COLUMNS:
        if name not in table.colnames:
            found = ", ".join(table.colnames) or "none"
            raise ValueError(
                f"{source}: column {name} is missing (columns found: {found}); add it, or rename the column "
                "that holds it"
            )


def _integers(column, source):
    """Identifier column as int64; floats are refused, because they round 64-bit identifiers."""
    masked = np.ma.getmaskarray(np.ma.asarray(column))
    if masked.any():
        raise ValueError(
            f"{source}: {column.name} is empty in row {np.argmax(masked) + 1}; every galaxy needs one"
        )
    values = np.asarray(column)
    if values.ndim != 1 or values.dtype.kind not in "iu" or (values.astype(np.int64) != values).any():
        raise ValueError(
            f"{source}: {column.name} is not a column of 64-bit integers (type {values.dtype.name}, first value "
            f"{values[0]}); write it as integers, not as text or floats"
        )
    return values.astype(np.int64)


def _floats(column, source):
    """Column of numbers as float64, masked values as NaN."""
    values = np.ma.asarray(column)
    if np.ma.getmaskarray(values).all():
        return np.full(len(column), np.nan)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise ValueError(
            f"{source}: {column.name} is not a column of numbers (type {values.dtype.name}, first value "
            f"{values[0]}); write decimal numbers"
        )
    return np.ma.filled(values.astype(np.float64), np.nan)
