"""Galaxy catalogues: reading and checking.

A galaxy table has `obj_id` (64-bit integer), for most uses `ra` and `dec` [deg, ICRS], and may have `group_id`,
`z_spec` and `ebv` [mag]. It is read from a FITS, CSV or Parquet file and validated before any other work. A value that
is missing in a column that nobody needs is kept as missing; a column that no format can hold is left out, with a
warning.
"""

import warnings

import numpy as np
from astropy import units
from astropy.table import Table

from photoz_morph.catalogs.column_names import name_columns
from photoz_morph.catalogs.numbers import UNKNOWN_LARGE, UNKNOWN_NUMBERS, floats, integers
from photoz_morph.catalogs.table_files import read_table_file
from photoz_morph.surveys import SDSS
from photoz_morph.system.columns import plain_column

POSITION = {"ra": (0, 360), "dec": (-90, 90)}  # deg
MAX_REDSHIFT = 20.0


def read_galaxy_catalog(path, needs=("ra", "dec"), bands=SDSS.bands):
    """Read and check the galaxies of a FITS, CSV or Parquet file, in the order of the file.

    Parameters
    ----------
    path : path-like
        See `read_table_file`.
    needs : iterable of str
        Columns that must be there, beside `obj_id`; see `check_galaxy_catalog`.
    bands : tuple of str
        Of the survey of the magnitudes; see `name_columns`.

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
    return check_galaxy_catalog(read_table_file(path), path, needs, bands)


def check_galaxy_catalog(table, source, needs=("ra", "dec"), bands=SDSS.bands):
    """Check a galaxy table and convert its columns to their names and types.

    Parameters
    ----------
    table : Table
        Columns `obj_id`, `ra`, `dec`, and where known `group_id`, `z_spec`, `ebv`, under the names that `name_columns`
        understands; other columns are kept as `plain_column` makes them.
    source : path-like
        Origin of the table, for messages.
    needs : iterable of str
        Columns that must be there, beside `obj_id`. Without "ra" and "dec" positions may be missing or unknown; with
        "z_spec" a column `z` must not be open to two readings.
    bands : tuple of str
        Of the survey of the magnitudes; see `name_columns`.

    Returns
    -------
    Table
        A copy. `obj_id` and `group_id` are int64 (`group_id` is `obj_id` where not given), `ra`, `dec` [deg],
        `z_spec` and `ebv` [mag] float64. `z_spec` and `ebv` are NaN where not given or unknown, which -9999 and the
        like mean too (`UNKNOWN_NUMBERS`, `UNKNOWN_LARGE`). No column is masked.

    Raises
    ------
    ValueError
        If the table is empty, a needed column is missing or has an unusable value, or an `obj_id` occurs twice.

    Warns
    -----
    UserWarning
        If a column was understood under another name, or left out because no format can hold it.
    """
    table = Table(table, copy=True)
    name_columns(table, source, needs, bands)
    if len(table) == 0:
        raise ValueError(f"{source}: the catalogue has no rows; give at least one galaxy")
    obj_id = integers(table["obj_id"], source)
    table["obj_id"] = obj_id
    table["group_id"] = integers(table["group_id"], source) if "group_id" in table.colnames else obj_id
    unique, first, count = np.unique(obj_id, return_index=True, return_counts=True)
    if np.any(count > 1):
        repeated = obj_id[first[count > 1].min()]
        raise ValueError(
            f"{source}: obj_id {repeated} occurs {count[unique == repeated][0]} times "
            f"({len(obj_id) - len(unique)} repeated rows in all); keep one row per galaxy"
        )
    for name in POSITION:
        if name in table.colnames:
            table[name] = _degrees(table[name], obj_id, source, name in needs)
    for name in ("z_spec", "ebv"):
        table[name] = (
            floats(table[name], source, (*UNKNOWN_NUMBERS, *UNKNOWN_LARGE))
            if name in table.colnames
            else np.full(len(table), np.nan)
        )
    z_spec, ebv = np.asarray(table["z_spec"]), np.asarray(table["ebv"])
    _refuse(np.isinf(z_spec) | (z_spec <= -1) | (z_spec > MAX_REDSHIFT), "z_spec", table, source,
            f"a redshift is between -1 and {MAX_REDSHIFT:g}, leave it empty where it is unknown")  # fmt: skip
    _refuse(np.isinf(ebv) | (ebv < 0), "ebv", table, source,
            "E(B-V) is not negative, leave it empty to take it from the dust map")  # fmt: skip
    _make_plain(table, source)
    return table


def _degrees(column, obj_id, source, is_needed):
    """Right ascension or declination [deg] as float64; NaN where it is unknown and not needed."""
    name = column.name
    if column.unit not in (None, units.deg):
        raise ValueError(f"{source}: {name} has unit {column.unit}; convert it to decimal degrees")
    lowest, highest = POSITION[name]
    values = floats(column, source)
    with np.errstate(invalid="ignore"):
        inside = (values >= lowest) & ((values < highest) if name == "ra" else (values <= highest))
    unknown = ~inside & (np.isnan(values) | np.isin(values, (*UNKNOWN_NUMBERS, *UNKNOWN_LARGE)))
    wrong = ~inside if is_needed else ~inside & ~unknown
    if wrong.any():
        row = np.argmax(wrong)
        allowed = "[0, 360); add or subtract 360" if name == "ra" else "[-90, 90]"
        raise ValueError(
            f"{source}: {name} of obj_id {obj_id[row]} is {values[row]} ({np.sum(wrong)} such rows); it must be in "
            f"degrees, in {allowed}"
        )
    return np.where(unknown, np.nan, values)


def _refuse(wrong, name, table, source, rule):
    """Raise a ValueError that names the first galaxy with a wrong value."""
    if wrong.any():
        raise ValueError(
            f"{source}: {name} of obj_id {table['obj_id'][wrong][0]} is {table[name][wrong][0]} ({wrong.sum()} such "
            f"rows); {rule}"
        )


def _make_plain(table, source):
    """Make all columns plain, in place, and leave out those that no format can hold, with a warning."""
    left_out = []
    for name in table.colnames:
        try:
            if getattr(table[name], "ndim", 1) > 2:
                raise ValueError(f"has an array of {table[name].ndim - 1} axes per galaxy")
            if not name.isascii():
                raise ValueError("has a name that FITS cannot hold")
            table[name] = plain_column(table[name])
        except ValueError as error:
            left_out.append(f"column {name} {error} and is left out")
            table.remove_column(name)
    if left_out:
        warnings.warn(f"{source}: {'; '.join(left_out)}", stacklevel=3)
