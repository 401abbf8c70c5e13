"""Quantities of every band in a table: one column of vectors, or one column per band, which is all that CSV can hold.

`snr_u` ... `snr_z` are the vector `snr`, `modelMag_u` ... `modelMag_z` are `mags`, in any letter case; see `COLUMNS`.
"""

import numpy as np

from photoz_morph.catalogs.numbers import UNKNOWN_LARGE, UNKNOWN_NUMBERS, floats

# Magnitudes PREFIX_BAND, the first found in all bands being used; last, the plain u g r i z of SkyServer.
MAGNITUDE_PREFIXES = ("mag", "modelMag", "cModelMag", "psfMag", "petroMag", "")
VALID_MAGNITUDES = (0, 50)  # other values mean missing, such as -9999 in SDSS and 99 elsewhere [mag]
PER_BAND = ("mags", "mag_errs", "snr", "psf_fwhm", "n_frames", "sky_sigma", "true_mags")
PER_GALAXY = (
    "petro_r", "axis_ratio", "n_neighbours", "r_e", "bulge_to_total", "is_early", "z_true", "true_ebv", "defects",
)  # fmt: skip


def gather_conditions(table, names, bands, source="catalogue"):
    """Observing conditions in all bands, as a network is told them.

    Parameters
    ----------
    table : Table
    names : sequence of str
        Of `PER_BAND`.
    bands : tuple of str
    source : path-like
        Origin of the table, for messages.

    Returns
    -------
    dict of str to ndarray, shape (n, n_bands), float32
        NaN where unknown.
    """
    found = {name: gather(table, name, bands, source) for name in names}
    unknown = np.full((len(table), len(bands)), np.nan)
    return {name: (unknown if values is None else values).astype(np.float32) for name, values in found.items()}


def gather(table, name, bands, source="catalogue"):
    """Values of a quantity in all bands.

    Parameters
    ----------
    table : Table
    name : str
        One of `PER_BAND`.
    bands : tuple of str
        Bands of the survey, in order.
    source : path-like
        Origin of the table, for messages.

    Returns
    -------
    ndarray, shape (n, n_bands), float64, or None
        NaN where unknown, and for quantities other than magnitudes in bands without a column. None if the table does
        not have the quantity.

    Raises
    ------
    ValueError
        If a column holds no numbers, or `name` itself is a column with another number of values than bands.
    """
    column_of = {column.lower(): column for column in table.colnames}
    if name in column_of:
        column = table[column_of[name]]
        if column.shape != (len(table), len(bands)):
            n_values = "one value" if column.ndim == 1 else f"values of shape {column.shape[1:]}"
            raise ValueError(
                f"{source}: column {column.name} has {n_values} per galaxy, where {name} has one in each of the bands "
                f"{' '.join(bands)}; give {_spelled(name, bands[0])} ... {_spelled(name, bands[-1])}, or rename it"
            )
        return _valid(name, floats(column, source, UNKNOWN_NUMBERS))
    columns = band_columns(table, name, bands)
    if not columns:
        return None
    nothing = np.full(len(table), np.nan)
    values = [floats(table[column], source, UNKNOWN_NUMBERS) if column else nothing for column in columns]
    if any(one.ndim != 1 for one in values):
        raise ValueError(f"{source}: columns {', '.join(filter(None, columns))} have more than one value per galaxy")
    return _valid(name, np.column_stack(values))


def band_columns(table, name, bands):
    """Names of the columns that hold a quantity band by band, None for a band without one; empty if there are none."""
    column_of = {column.lower(): column for column in table.colnames}
    if name in ("mags", "mag_errs"):
        prefix = magnitude_prefix(table, bands)
        if prefix is None:
            return []
        spellings = [f"{prefix}_{{}}" if prefix else "{}"]
        if name == "mag_errs":
            spellings = {"": ["err_{}"], "mag": ["mag_err_{}", "magErr_{}"]}.get(prefix, [f"{prefix}Err_{{}}"])
    else:
        spellings = [_spelled(name, "{}")]
    for spelling in spellings:
        found = [column_of.get(spelling.format(band).lower()) for band in bands]
        if any(found):
            return found
    return []


def magnitude_prefix(table, bands):
    """The first of `MAGNITUDE_PREFIXES` that a table has in all bands, or None."""
    there = {column.lower() for column in table.colnames}
    for prefix in MAGNITUDE_PREFIXES:
        if {f"{prefix}_{band}".lstrip("_").lower() for band in bands} <= there:
            return prefix
    return None


def check_quantities(table, bands, source):
    """Raise a ValueError if a column cannot be the quantity of the dataset that has its name.

    Parameters
    ----------
    table : Table
    bands : tuple of str
    source : path-like
        Origin of the table, for messages.
    """
    for name in PER_BAND:
        gather(table, name, bands, source)
    for name in PER_GALAXY:
        per_galaxy(table, name, source)


def per_galaxy(table, name, source="catalogue"):
    """Values of one of `PER_GALAXY`, shape (n,), float64; None if the table does not have it."""
    column = next((table[column] for column in table.colnames if column.lower() == name), None)
    if column is None:
        return None
    if column.ndim != 1:
        raise ValueError(
            f"{source}: column {column.name} has values of shape {column.shape[1:]} per galaxy, where {name} is one "
            "number; rename it"
        )
    return np.asarray(column, float) if column.dtype.kind == "b" else floats(column, source, UNKNOWN_NUMBERS)


def _spelled(name, band):
    """Name of the column of a quantity in one band."""
    return {"mags": f"mag_{band}", "mag_errs": f"mag_err_{band}", "true_mags": f"true_mag_{band}"}.get(
        name, f"{name}_{band}"
    )


def _valid(name, values):
    """Values with NaN for magnitudes, and errors of magnitudes, that mean unknown."""
    if name == "mag_errs":
        return np.where(np.isin(values, UNKNOWN_LARGE), np.nan, values)
    if name not in ("mags", "true_mags"):
        return values
    return np.where((values > VALID_MAGNITUDES[0]) & (values < VALID_MAGNITUDES[1]), values, np.nan)
