"""Columns of a table that every format can hold: distinct names, plain numbers, text and vectors without masks."""

import numpy as np
from astropy.table import Column
from astropy.time import Time
from astropy.units import Quantity

LARGEST_EXACT = 2**53  # integers up to here are exact in a float64


def require_distinct_names(names, source=""):
    """Raise a ValueError that names columns which differ only in letter case: FITS cannot tell them apart.

    Parameters
    ----------
    names : iterable of str
    source : path-like
        File or table, for the message.
    """
    first = {}
    for name in map(str, names):
        other = first.get(name.lower())
        if other is not None:
            what = f"column {name} occurs twice"
            if other != name:
                what = f"columns {other} and {name} differ only in letter case"
            raise ValueError(f"{source}: " * bool(source) + f"{what}; rename one")
        first[name.lower()] = name


def plain_columns(table):
    """Convert the columns of a table to plain ones; see `plain_column`.

    Parameters
    ----------
    table : Table
        Changed in place.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If a column cannot be converted.
    """
    for name in table.colnames:
        try:
            table[name] = plain_column(table[name])
        except ValueError as error:
            raise ValueError(f"column {name} {error}; leave it out") from error
    return table


def plain_column(column):
    """Column as native numbers or text without a mask.

    Parameters
    ----------
    column : Column
        Of a Table; also Time and Quantity.

    Returns
    -------
    Column
        With the name, unit and description. Masked floats are NaN, masked text and times are "". Masked integers and
        booleans become floats with NaN, and text where a float would round one. Times are ISO 8601 text, bytes are
        text.

    Raises
    ------
    ValueError
        If it holds complex numbers, records, or lists of different lengths. The message continues one that names the
        column.
    """
    if isinstance(column, Time):
        return Column(np.ma.filled(np.ma.asarray(column.isot), ""), name=column.info.name)
    if not isinstance(column, (Column, Quantity)):
        raise ValueError(f"is a {type(column).__name__}, which no format holds")
    notes = {"name": column.info.name, "unit": column.unit, "description": column.info.description}
    if isinstance(column, Quantity):
        column = column.value
    mask = np.ma.getmaskarray(np.ma.asarray(column))
    return Column(_plain_values(np.asarray(column), mask), **notes)


def _plain_values(values, mask):
    """Array of numbers or text."""
    kind = values.dtype.kind
    if values.ndim > 1 and values.size == 0 and len(values):
        raise ValueError(f"has vectors of shape {values.shape[1:]}")
    if kind in "SUO":
        return _text(values, mask)
    if kind in "Mm":
        return np.where(mask | np.isnat(values), "", values.astype(str))
    if kind not in "iubf":
        raise ValueError(f"holds values of type {values.dtype.name}")
    if kind in "iub" and mask.any():
        return _with_gaps(values, mask)
    if values.dtype == np.int8:  # FITS would take it for booleans
        return values.astype(np.int16)
    if kind == "f" and values.dtype.itemsize not in (4, 8):  # FITS has single and double precision only
        values = values.astype(np.float32 if values.dtype.itemsize < 4 else np.float64)
    if kind == "f" and mask.any():
        return np.where(mask, np.nan, values).astype(values.dtype.newbyteorder("="))
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _with_gaps(values, mask):
    """Integers or booleans with NaN where masked, as text where a float would round one."""
    known = values[~mask]
    if values.ndim == 1 and known.size and max(int(known.max()), -int(known.min())) > LARGEST_EXACT:
        return np.where(mask, "", values.astype(str))
    return np.where(mask, np.nan, values.astype(np.float64))


def _text(values, mask):
    """Text, "" where missing."""
    if values.ndim > 1:
        raise ValueError("holds lists of text")
    if values.dtype.kind == "U" and not mask.any():
        return values
    text = []
    for value, is_missing in zip(values, mask):
        if is_missing or value is None or (isinstance(value, float) and np.isnan(value)):
            value = ""
        elif isinstance(value, bytes):
            value = value.decode(errors="backslashreplace")
        elif isinstance(value, (np.ndarray, list, dict, tuple)):
            raise ValueError("holds lists of different lengths")
        text.append(str(value))
    return np.array(text, str)


def ascii_text(table):
    """Replace characters of text columns that FITS does not allow by their code, such as \\xe9, in place.

    Parameters
    ----------
    table : Table

    Returns
    -------
    Table
    """
    for name in table.colnames:
        column = table[name]
        if column.dtype.kind == "U" and any(not str(value).isascii() for value in column):
            values = [str(value).encode("ascii", "backslashreplace").decode() for value in column]
            table[name] = Column(values, unit=column.unit, description=column.description)
    return table
