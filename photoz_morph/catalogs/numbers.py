"""Numbers of a catalogue column: unknown ones as NaN, and anything else named by its row and text."""

import numpy as np

from photoz_morph.catalogs.table_files import UNKNOWN_TEXT

# Numbers that mean unknown where no such value is possible: SDSS writes -9999, others -999 and -99, and in redshifts,
# reddening and magnitudes also 99, 999 and 9999.
UNKNOWN_NUMBERS = (-9999.0, -999.0, -99.0)
UNKNOWN_LARGE = (99.0, 999.0, 9999.0)
LARGEST_ID = 2**63 - 1  # of a signed 64-bit integer


def floats(column, source, unknown=()):
    """Column of numbers as float64.

    Parameters
    ----------
    column : Column, shape (n, ...)
        Numbers, or text of numbers.
    source : path-like
        Origin of the column, for messages.
    unknown : iterable of float
        Numbers that mean unknown.

    Returns
    -------
    ndarray, shape (n, ...), float64
        NaN where masked, empty or unknown.

    Raises
    ------
    ValueError
        If it does not hold numbers; the first such row is named.
    """
    values = np.ma.asarray(column)
    mask = np.ma.getmaskarray(values)
    if mask.all():
        return np.full(values.shape, np.nan)
    if values.dtype.kind in "SUO" and values.ndim == 1:
        values = np.array([np.nan if is_missing else _number(value, row, column.name, source)
                           for row, (value, is_missing) in enumerate(zip(np.asarray(column), mask), 1)])  # fmt: skip
    elif values.dtype.kind not in "iuf":
        what = "true or false" if values.dtype.kind == "b" else "times" if values.dtype.kind in "Mm" else "no numbers"
        raise ValueError(f"{source}: {column.name} holds {what}; give decimal numbers")
    values = np.where(mask, np.nan, np.ma.getdata(values).astype(np.float64))
    return np.where(np.isin(values, unknown), np.nan, values)


def integers(column, source):
    """Column of identifiers as int64.

    Parameters
    ----------
    column : Column, shape (n,)
        Integers, or text of integers. Floats are refused, because they round 64-bit identifiers.
    source : path-like
        Origin of the column, for messages.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ValueError
        If a row is empty, is no integer, or exceeds 2^63 - 1.
    """
    name, values = column.name, np.ma.asarray(column)
    if values.ndim != 1 or values.dtype.kind not in "iuSUO":
        is_float = values.dtype.kind == "f"
        kind = "floats, which round identifiers beyond 2^53" if is_float else f"{values.dtype.name} values"
        raise ValueError(f"{source}: {name} holds {kind} (the first is {values[0]}); write it as 64-bit integers")
    empty = np.ma.getmaskarray(values)
    values = np.ma.getdata(values)
    if values.dtype.kind in "SUO":
        texts = [_decoded(value) for value in values]
        empty = empty | np.isin(texts, UNKNOWN_TEXT)
        values = np.array([0 if is_empty else _integer(text, row, name, source)
                           for row, (text, is_empty) in enumerate(zip(texts, empty), 1)], object)  # fmt: skip
    if empty.any():
        raise ValueError(f"{source}: {name} is empty in row {np.argmax(empty) + 1}; every galaxy needs one")
    wrong = values > LARGEST_ID if values.dtype.kind != "i" else np.zeros(len(values), bool)
    if np.any(wrong):
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{source}: {name} in row {row + 1} is {values[row]}; identifiers are 64-bit integers up to 2^63 - 1 = "
            f"{LARGEST_ID}. Give smaller ones, such as the objID of SDSS or row numbers, and keep these under another "
            "name"
        )
    return values.astype(np.int64)


def _decoded(value):
    """Text of bytes or of another value, without blanks around it."""
    return (value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)).strip()


def _number(value, row, name, source):
    """Float of a text."""
    text = _decoded(value)
    if value is None or text in UNKNOWN_TEXT:
        return np.nan
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"{source}: {name} in row {row} is '{text}', which is no number; write decimal numbers, and where one is "
            "unknown nothing, null or --"
        ) from None


def _integer(text, row, name, source):
    """Integer of a text."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(
            f"{source}: {name} in row {row} is '{text}', which is no integer; write identifiers as 64-bit integers"
        ) from None
