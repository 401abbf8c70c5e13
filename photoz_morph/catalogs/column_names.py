"""Names of catalogue columns: in any letter case, and under the few other names that are understood."""

import warnings

from photoz_morph.surveys import SDSS
from photoz_morph.system.columns import require_distinct_names

KNOWN_COLUMNS = ("obj_id", "group_id", "ra", "dec", "z_spec", "ebv", "flag", "flag_reason")
# Our name -> other names of the same quantity, in any letter case. A redshift may also be called z, as in SpecObj of
# SDSS, where that cannot be the magnitude in band z.
ALIASES = {"obj_id": ("objid", "object_id"), "z_spec": ("redshift", "zspec")}


def name_columns(table, source, needs=(), bands=SDSS.bands):
    """Give the columns that the package knows their names, in place; warn which other names were understood.

    Parameters
    ----------
    table : Table
    source : path-like
        Origin of the table, for messages.
    needs : iterable of str
        Columns that must be there, beside `obj_id`.
    bands : tuple of str
        Of the survey: a column z is a magnitude only beside the other bands, if z is one of them.

    Raises
    ------
    ValueError
        If names differ only in letter case, a column is missing, or two columns may be meant.

    Warns
    -----
    UserWarning
        One line with the columns that were taken for others.
    """
    require_distinct_names(table.colnames, source)
    said = []
    for column in list(table.colnames):
        if column != column.lower() and column.lower() in KNOWN_COLUMNS:
            table.rename_column(column, column.lower())
    column_of = {name.lower(): name for name in table.colnames}
    for name, aliases in ALIASES.items():
        found = [column_of[alias] for alias in aliases if alias in column_of]
        if name in column_of or not found:
            continue
        if len(found) > 1:
            raise ValueError(
                f"{source}: columns {' and '.join(found)} may both be {name}; rename the one that is to {name}"
            )
        table.rename_column(found[0], name)
        said.append(f"{found[0]} is taken for {name}")
    said += _name_z(table, source, needs, "z_spec" in column_of, bands)
    if said:
        warnings.warn(f"{source}: {', '.join(said)}", stacklevel=3)
    missing = [name for name in ("obj_id", *needs) if name not in table.colnames]
    if missing:
        others = [*ALIASES.get(missing[0], ()), *(["z"] if missing[0] == "z_spec" else [])]
        remedy = f"add it, or rename the column that holds it (also understood: {', '.join(others)})"
        raise ValueError(
            f"{source}: column {missing[0]} is missing (columns found: {', '.join(table.colnames) or 'none'}); "
            + (remedy if others else "add it, or rename the column that holds it")
        )


def _name_z(table, source, needs, is_clear, bands):
    """Take a column called z for the redshift or for a magnitude; the remarks about it. `is_clear` beside a z_spec."""
    column_of = {name.lower(): name for name in table.colnames}
    if "z" not in column_of or is_clear:
        return []
    beside = [band.lower() for band in bands if band.lower() != "z"]
    z, magnitudes = column_of["z"], f"{', '.join(column_of.get(band, band) for band in beside)}"
    is_band = 0 < len(beside) < len(bands) and set(beside) <= column_of.keys()
    if "z_spec" in column_of:
        return [f"{z} is taken for the magnitude in band z"] if is_band else []
    if not is_band:
        table.rename_column(z, "z_spec")
        return [f"{z} is taken for z_spec"]
    if "z_spec" in needs:
        raise ValueError(
            f"{source}: column {z} may be the redshift or, beside {magnitudes}, the magnitude in band z; call the "
            f"redshift z_spec, or the magnitudes mag_{bands[0]} ... mag_{bands[-1]}"
        )
    return [f"{z} is taken for the magnitude in band z beside {magnitudes}; a redshift would be called z_spec"]
