"""Tables that come with images, of any origin, as the table of a partition.

The few columns that the package needs are found under the names that surveys and public data sets give them; the others
are carried. A row is never dropped and no value repaired: what cannot be used is NaN, or the row has a flag.
"""

import hashlib
import warnings

import numpy as np
from astropy import units
from astropy.table import Table

from photoz_morph.catalogs.dust import EBV_SOURCE, sfd_ebv
from photoz_morph.catalogs.galaxies import MAX_REDSHIFT
from photoz_morph.catalogs.numbers import LARGEST_ID, UNKNOWN_LARGE, UNKNOWN_NUMBERS, floats, integers
from photoz_morph.catalogs.per_band import gather
from photoz_morph.system.columns import LARGEST_EXACT, plain_column, require_distinct_names

# Our name -> the names of the quantity in any letter case, the first found being taken. `z` alone is a redshift only
# where it cannot be a magnitude.
NAMES = {
    "obj_id": ("obj_id", "objid", "object_id", "objectid", "specobjid", "source_id", "targetid"),
    "group_id": ("group_id",),
    "ra": ("ra", "coord_ra", "ra_deg"),
    "dec": ("dec", "coord_dec", "dec_deg"),
    "z_spec": ("z_spec", "zspec", "specz_redshift", "spec_z", "redshift", "z"),
    "ebv": ("ebv", "e_bv", "ebv_sfd", "ebv_sfd98"),
}
# Magnitudes of one band that become `mags`: terms that are added.
MAGNITUDES = (("dered_petro_{}", "extinction_{}"), ("{}_cmodel_mag",))
REASON_LENGTH = 160


def galaxy_table(columns, bands, source, first_row=0, announce=False):
    """Table of a partition from the columns that come with its images.

    Parameters
    ----------
    columns : Table
        One row per galaxy; may be empty of columns but not of rows where `first_row` numbers them.
    bands : tuple of str
        Bands of the survey.
    source : path-like
        Origin of the table, for messages.
    first_row : int
        Number of the first galaxy in the whole source: galaxies without identifier are numbered.
    announce : bool
        Whether to warn which column was taken for which, and which cannot be carried.

    Returns
    -------
    Table
        `obj_id`, `group_id` int64, `ra`, `dec` [deg], `z_spec`, `ebv` [mag] float64, NaN where unknown; `ebv_source`;
        the other columns as `plain_column` makes them, without those that no format can hold; `flag` and `flag_reason`.
        Text that is no integer has a hash as `obj_id` and is carried. Where E(B-V) is unknown and the position is not,
        it is that of the shipped dust map. `mags` is added where `MAGNITUDES` are there.

    Raises
    ------
    ValueError
        If names differ only in letter case, an identifier is missing or too large, or a column that is needed holds no
        numbers.
    """
    columns = _split_coordinates(Table(columns, copy=False))
    require_distinct_names(columns.colnames, source)
    n, taken = len(columns), _taken(columns)
    reasons = np.full(n, "", f"U{REASON_LENGTH}")
    table = Table()
    table["obj_id"], is_text = _identifiers(columns, taken.get("obj_id"), first_row, source)
    group, group_is_text = _identifiers(columns, taken.get("group_id"), first_row, source)
    table["group_id"] = group if "group_id" in taken else table["obj_id"]
    table["ra"], table["dec"] = _position(columns, taken, source)
    for name in ("z_spec", "ebv"):
        values = _numbers(columns, taken.get(name), source)
        with np.errstate(invalid="ignore"):
            wrong = np.isinf(values) | ((values <= -1) | (values > MAX_REDSHIFT) if name == "z_spec" else values < 0)
        reasons[wrong] = [f"{name} is {value:g}" for value in values[wrong]]
        table[name] = np.where(wrong, np.nan, values)
    known = np.isfinite(table["ebv"])
    from_map = ~known & np.isfinite(table["ra"]) & np.isfinite(table["dec"])
    if from_map.any():
        table["ebv"][from_map] = sfd_ebv(table["ra"][from_map], table["dec"][from_map])
    table["ebv_source"] = np.where(known, "given", np.where(from_map, EBV_SOURCE, "none"))
    flagged = _flagged(columns, source)
    reasons[flagged & (reasons == "")] = "flagged in the catalogue"
    kept = {name for name, is_kept in (("obj_id", is_text), ("group_id", group_is_text)) if is_kept}
    left_out = _carry(columns, table, {column for name, column in taken.items() if name not in kept})
    _add_magnitudes(table, bands, source)
    table["flag"] = (reasons != "").astype(np.int16)
    table["flag_reason"] = reasons
    if announce:
        said = [f"{column} is taken for {name}" for name, column in taken.items() if column.lower() != name]
        said += [] if "obj_id" in taken else ["there is no obj_id: galaxies are numbered from 0"]
        said += [f"column {name} {why} and is left out" for name, why in left_out.items()]
        if said:
            warnings.warn(f"{source}: {'; '.join(said)}", stacklevel=3)
    return table


def flag_rows(table, rows, reasons):
    """Flag rows of a table in place, unless they are flagged already.

    Parameters
    ----------
    table : Table
        From `galaxy_table`.
    rows : iterable of int
    reasons : iterable of str
    """
    for row, reason in zip(rows, reasons):
        if table["flag"][row] == 0:
            table["flag"][row], table["flag_reason"][row] = 1, reason[:REASON_LENGTH]


def _taken(columns):
    """Our name -> the column that holds the quantity."""
    column_of = {name.lower(): name for name in columns.colnames}
    found = {}
    for name, others in NAMES.items():
        for other in others:
            is_magnitude = other == "z" and {"g", "r", "i"} <= column_of.keys()
            if other in column_of and not is_magnitude:
                found[name] = column_of[other]
                break
    return found


def _split_coordinates(columns):
    """Columns with `coordinates` of shape (n, 2) [deg] as ra and dec, unless these are there."""
    column_of = {name.lower(): name for name in columns.colnames}
    both = column_of.get("coordinates")
    if both and not {"ra", "dec"} & column_of.keys() and columns[both].shape[1:] == (2,):
        columns["ra"], columns["dec"] = columns[both][:, 0], columns[both][:, 1]
        columns.remove_column(both)
    return columns


def _identifiers(columns, name, first_row, source):
    """int64 identifiers, numbers of the rows without a column; and whether the column is of text that is no integer."""
    if name is None:
        return first_row + np.arange(len(columns), dtype=np.int64), False
    column = columns[name]
    if column.dtype.kind == "f" and column.ndim == 1 and not np.ma.getmaskarray(np.ma.asarray(column)).any():
        values = np.asarray(column)
        if len(values) and np.all(np.abs(values) <= LARGEST_EXACT) and np.all(values == np.floor(values)):
            return values.astype(np.int64), False
    if column.dtype.kind in "SUO" and column.ndim == 1:
        return _of_text(column, source)
    return integers(column, source), False


def _of_text(column, source):
    """Identifiers of text: integers where it is one, else 63 bits of a hash."""
    texts = [value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value) for value in column]
    missing = np.array([text.strip() in ("", "None") for text in texts], bool)
    missing |= np.ma.getmaskarray(np.ma.asarray(column))
    if missing.any():
        raise ValueError(f"{source}: {column.name} is empty in row {np.argmax(missing) + 1}; every galaxy needs one")
    identifiers, is_text = np.zeros(len(texts), np.int64), False
    for row, text in enumerate(texts):
        try:
            value = int(text)
        except ValueError:
            value = LARGEST_ID + 1
        if not -LARGEST_ID <= value <= LARGEST_ID:
            is_text = True
            value = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1
        identifiers[row] = value
    return identifiers, is_text


def _numbers(columns, name, source):
    """Column of one number per galaxy as float64, NaN where it is unknown or there is no column."""
    if name is None:
        return np.full(len(columns), np.nan)
    values = floats(columns[name], source, (*UNKNOWN_NUMBERS, *UNKNOWN_LARGE))
    if values.ndim != 1:
        raise ValueError(f"{source}: {name} has shape {values.shape}; give one number per galaxy")
    return values


def _position(columns, taken, source):
    """Right ascension from 0 to 360 and declination [deg]; NaN where there is none."""
    values = []
    for name in ("ra", "dec"):
        column = taken.get(name)
        value = _numbers(columns, column, source)
        unit = getattr(columns[column], "unit", None) if column else None
        if unit not in (None, units.deg):
            if unit != units.rad:
                raise ValueError(f"{source}: {column} has unit {unit}; convert it to decimal degrees")
            value = np.degrees(value)
        values.append(value)
    ra, dec = values
    with np.errstate(invalid="ignore"):
        there = np.isfinite(ra) & (np.abs(ra) <= 360) & (np.abs(dec) <= 90)
    return np.where(there, np.mod(np.where(there, ra, 0), 360), np.nan), np.where(there, dec, np.nan)


def _flagged(columns, source):
    """True where a column `flag` of one number per galaxy is not 0."""
    name = next((name for name in columns.colnames if name.lower() == "flag"), None)
    if name is None or columns[name].ndim != 1 or columns[name].dtype.kind not in "iufb":
        return np.zeros(len(columns), bool)
    return np.ma.filled(np.ma.asarray(columns[name]).astype(float), 0) != 0


def _carry(columns, table, taken):
    """Add the other columns to a table in place; name -> reason of those that no format can hold."""
    left_out = {}
    for name in columns.colnames:
        if name in taken or name.lower() in ("flag", "flag_reason", "ebv_source"):
            continue  # the latter are written anew
        try:
            if getattr(columns[name], "ndim", 1) > 2:
                raise ValueError(f"has an array of {columns[name].ndim - 1} axes per galaxy")
            if not name.isascii():
                raise ValueError("has a name that FITS cannot hold")
            # An obj_id of text stays beside its hash.
            table[f"{name}_text" if name.lower() in table.colnames else name] = plain_column(columns[name])
        except ValueError as error:
            left_out[name] = str(error)
    return left_out


def _add_magnitudes(table, bands, source):
    """Add the vector `mags` [mag], with Galactic dust, in place where its terms are there and magnitudes are not."""
    column_of = {name.lower(): name for name in table.colnames}
    for terms in MAGNITUDES:
        names = [[column_of.get(term.format(band).lower()) for band in bands] for term in terms]
        if all(map(all, names)) and gather(table, "mags", bands, source) is None:
            values = [np.column_stack([_numbers(table, one, source) for one in name]) for name in names]
            table["mags"] = np.sum(values, axis=0)
            return
