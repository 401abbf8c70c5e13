"""A catalogue of true redshifts, and the rows of it that the predictions of any program belong to.

`read_truth` reads the catalogue with the columns that scores, trends and cells of colour need; `match` finds the row of
each prediction by its identifier, of numbers or text, or by the order of rows where there are no identifiers.
"""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.catalogs.array_files import ARRAY_SUFFIXES, open_arrays, table_of_arrays
from photoz_morph.catalogs.dust import EBV_SOURCE, sfd_ebv
from photoz_morph.catalogs.galaxies import check_galaxy_catalog
from photoz_morph.catalogs.numbers import LARGEST_ID
from photoz_morph.catalogs.per_band import PER_BAND, PER_GALAXY, gather, per_galaxy
from photoz_morph.catalogs.table_files import TABLE_SUFFIXES, read_table_file
from photoz_morph.photoz.formats.others import ID_NAMES
from photoz_morph.surveys import SDSS

KIND = "a catalogue of true redshifts"
CARRIED = ("obj_id", "group_id", "ra", "dec", "z_spec", "ebv")
LARGEST_EXACT = 2**53  # integers up to here are exact in a float64


@dataclass(frozen=True)
class Truth:
    """A catalogue of true redshifts.

    Attributes
    ----------
    path : Path
    table : Table
        `obj_id`, `group_id`, `z_spec`, and of the rest of what `predictions.CATALOGUE` lists that the file has.
    ids : ndarray or None
        Identifiers, int64 or text; None if the file has none.
    id_name : str
        Their column.
    is_simulated : bool
        Whether the header says so.
    """

    path: Path
    table: Table
    ids: np.ndarray | None
    id_name: str
    is_simulated: bool


def read_truth(path, id_name=None, survey=SDSS):
    """Read a catalogue of true redshifts.

    Parameters
    ----------
    path : path-like
        FITS, CSV, Parquet, HDF5 or .npz, with `z_spec` under one of the names of `column_names`.
    id_name : str, optional
        Column of the identifiers, in any letter case; one of `others.ID_NAMES` by default.
    survey : Survey
        Gives the names of the bands.

    Returns
    -------
    Truth

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file cannot be read, it has no z_spec, an identifier occurs twice or is missing, or a column is not what
        its name says.

    Warns
    -----
    UserWarning
        If a column was understood under another name, or E(B-V) comes from the dust map.
    """
    path = Path(path)
    if path.suffix.lower() in ARRAY_SUFFIXES:
        with open_arrays(path, KIND) as arrays:
            table = table_of_arrays(arrays, path)
    elif path.name.lower().endswith(TABLE_SUFFIXES):
        table = read_table_file(path, KIND)
    else:
        known = ", ".join((*TABLE_SUFFIXES, *ARRAY_SUFFIXES))
        raise (ValueError if path.exists() else FileNotFoundError)(
            f"{path}: {'unknown suffix' if path.exists() else 'no such file'}; give {KIND} in one of {known}"
        )
    is_simulated = str(table.meta.get("ORIGIN", "")).strip() == "simulated"
    column_of = {name.lower(): name for name in reversed(table.colnames)}
    if id_name is not None and id_name.lower() not in column_of:
        raise ValueError(f"{path}: no column {id_name}, only {', '.join(table.colnames)}; name it with --truth-id")
    wanted = [id_name.lower()] if id_name is not None else [name for name in ID_NAMES if name in column_of]
    ids, name = None, ""
    if wanted:
        name = column_of[wanted[0]]
        ids = identifiers(table[name], path)
        _refuse_repeated(ids, name, path)
        if "obj_id" in column_of:
            table.remove_column(column_of["obj_id"])
    is_number = ids is not None and ids.dtype.kind == "i"
    table["obj_id"] = ids if is_number else np.arange(1, len(table) + 1)
    if name in table.colnames and name != "obj_id":
        table.remove_column(name)
    table = check_galaxy_catalog(table, path, ("z_spec",), survey.bands)
    if not np.isfinite(table["z_spec"]).any():
        raise ValueError(f"{path}: z_spec is unknown for all {len(table)} galaxies; nothing can be scored")
    columns = Table({key: table[key] for key in CARRIED if key in table.colnames})
    _add_quantities(columns, table, survey, path)
    return Truth(path, columns, ids, name, is_simulated)


def _add_quantities(columns, table, survey, path):
    """Add magnitudes and the other quantities that a catalogue has, in place, and E(B-V) where magnitudes need it."""
    for name in PER_BAND:
        values = gather(table, name, survey.bands, path)
        if values is not None:
            columns[name] = values
    for name in PER_GALAXY:
        values = per_galaxy(table, name, path)
        if values is not None:
            columns[name] = values
    if "ra" in columns.colnames and "dec" in columns.colnames and "mags" in columns.colnames:
        ra, dec, ebv = (np.asarray(columns[name], float) for name in ("ra", "dec", "ebv"))
        missing = np.isnan(ebv) & np.isfinite(ra) & np.isfinite(dec)
        if missing.any():
            columns["ebv"][missing] = sfd_ebv(ra[missing], dec[missing])
            warnings.warn(f"{path}: E(B-V) of {missing.sum()} galaxies is that of {EBV_SOURCE}", stacklevel=3)


def identifiers(column, source):
    """Identifiers of galaxies as int64, or as text where one is no integer that fits.

    Parameters
    ----------
    column : Column or ndarray, shape (n,)
    source : path-like
        Named in messages.

    Raises
    ------
    ValueError
        If a row has none, or floats have been rounded.
    """
    name, values = getattr(column, "name", None) or "id", np.ma.asarray(column)
    if values.ndim != 1 or values.dtype.kind not in "iufSUO":
        raise ValueError(f"{source}: {name} cannot identify galaxies; give a column of integers or text")
    empty, values = np.ma.getmaskarray(values), np.ma.getdata(values)
    if values.dtype.kind == "f":
        if not np.all((np.abs(values) < LARGEST_EXACT) & (values == np.rint(values)) | empty):
            raise ValueError(
                f"{source}: {name} holds floats, which round identifiers beyond 2^53; write it as 64-bit integers"
            )
        values = np.where(empty, 0, values).astype(np.int64)
    elif values.dtype.kind in "SUO":
        texts = [value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
                 for value in values]  # fmt: skip
        values = np.array([text.strip() for text in texts], str)
        empty = empty | (values == "")
        if len(values) and all(re.fullmatch(r"[-+]?\d{1,19}", text) for text in values[~empty]):
            numbers = [int(text) if text else 0 for text in values]
            values = np.array(numbers, np.int64) if max(map(abs, numbers)) <= LARGEST_ID else values
    elif values.dtype.kind == "u" and len(values) and values.max() > LARGEST_ID:
        values = values.astype(str)
    if empty.any():
        raise ValueError(f"{source}: {name} is empty in row {np.argmax(empty) + 1}; every galaxy needs one")
    return values if values.dtype.kind == "U" else values.astype(np.int64)


def match(ids, n_rows, source, truth):
    """Row of the truth that each prediction belongs to.

    Parameters
    ----------
    ids : Column or None
        Identifiers of the predictions, if they have any.
    n_rows : int
        Number of the predictions.
    source : path-like
        File of the predictions, for messages.
    truth : Truth

    Returns
    -------
    row : ndarray of int, shape (n_rows,)
        -1 where the truth has none.
    facts : dict
        `matched_by` (a column, or "row order"), `n_predictions`, `n_truth`, `n_matched`, `n_without_truth` (predictions
        that the truth lacks) and `n_missing` (galaxies of the truth, with a z_spec, that the predictions lack).

    Raises
    ------
    ValueError
        If an identifier occurs twice in the predictions, no galaxy is in both, or there are no identifiers and the
        numbers of rows differ.

    Warns
    -----
    UserWarning
        If rows are matched by their order.
    """
    n_truth = len(truth.table)
    if ids is None or truth.ids is None:
        without = source if ids is None else truth.path
        if n_rows != n_truth:
            raise ValueError(
                f"{without}: has no identifiers ({', '.join(ID_NAMES)}), and {source} has {n_rows} rows where "
                f"{truth.path} has {n_truth}; name the column with --id or --truth-id"
            )
        warnings.warn(
            f"{without}: has no identifiers; the {n_rows} rows of {source} and {truth.path} are matched by their order",
            stacklevel=2,
        )
        row, by = np.arange(n_rows), "row order"
    else:
        keys, known = identifiers(ids, source), truth.ids
        name = getattr(ids, "name", None) or "id"
        _refuse_repeated(keys, name, source)
        if keys.dtype.kind != known.dtype.kind:
            keys, known = keys.astype(str), known.astype(str)
        order = np.argsort(known, kind="stable")
        place = np.minimum(np.searchsorted(known[order], keys), n_truth - 1)
        row = np.where(known[order][place] == keys, order[place], -1)
        by = name if name == truth.id_name else f"{name} = {truth.id_name}"
        if not (row >= 0).any():
            raise ValueError(
                f"{source}: none of its {n_rows} galaxies is in {truth.path} ({name} {_first(keys)} against "
                f"{truth.id_name} {_first(known)}); name the columns with --id and --truth-id"
            )
    matched = row >= 0
    is_missing = np.isfinite(np.asarray(truth.table["z_spec"], float))
    is_missing[row[matched]] = False
    return row, {
        "matched_by": by,
        "n_predictions": int(n_rows),
        "n_truth": n_truth,
        "n_matched": int(matched.sum()),
        "n_without_truth": int((~matched).sum()),
        "n_missing": int(is_missing.sum()),
    }


def _refuse_repeated(ids, name, source):
    """Raise a ValueError that names the first identifier that occurs twice."""
    unique, first, count = np.unique(ids, return_index=True, return_counts=True)
    if np.any(count > 1):
        repeated = ids[first[count > 1].min()]
        raise ValueError(
            f"{source}: {name} {repeated} occurs {count[unique == repeated][0]} times ({len(ids) - len(unique)} "
            "repeated rows in all); keep one row per galaxy"
        )


def _first(ids):
    """The first identifiers as text."""
    return ", ".join(map(str, ids[:2])) + " ..." * (len(ids) > 2)
