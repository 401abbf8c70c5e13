"""The predictions table on disk: one row per galaxy with its binned PDF and what the PDF says, FITS or Parquet.

`photoz predict`, `infer` and `baseline` write it, `evaluate` and `report` read it, and so does any FITS reader. It is
an astropy Table of the catalogue's own columns, in the catalogue's order, followed by `flag`, `z_phot`, `z_median`,
`z_mode`, `z_lower`, `z_upper` and `pdf`. Its meta, the FITS header of HDU `PREDICTIONS`, holds `survey`, the grid
(`z_min`, `z_max`, `n_bins`), `origin` ("simulated", "stacked" or "catalogue"), `model`, `n_members` and what else the
writer records. A galaxy without a PDF keeps its row: NaN, and flag 1.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.table import Column, Table

from photoz_morph.files import write_whole
from photoz_morph.metrics.photoz import in_slices
from photoz_morph.redshift_grid import RedshiftGrid

# What the pixels or magnitudes of each origin are, as it must stand beside every score.
ORIGINS = {"simulated": "simulated", "stacked": "real", "catalogue": "real"}
ESTIMATES = {
    "flag": "0: good; 1: no PDF, or flagged before",
    "z_phot": "mean of the PDF over bin midpoints",
    "z_median": "median of the PDF",
    "z_mode": "midpoint of the most probable bin",
    "z_lower": "16 % quantile of the PDF",
    "z_upper": "84 % quantile of the PDF",
    "pdf": "probability of each redshift bin",
}
CATALOGUE = {
    "obj_id": ("", "identifier of the galaxy"),
    "group_id": ("", "shared by all copies of a galaxy"),
    "ra": ("deg", "right ascension, J2000"),
    "dec": ("deg", "declination, J2000"),
    "ebv": ("mag", "Galactic E(B-V)"),
    "z_spec": ("", "spectroscopic redshift, NaN where unknown"),
    "fold": ("", "cross-validation fold that tested this galaxy"),
}
REQUIRED_META = ("survey", "origin", "z_min", "z_max", "n_bins")
UNREADABLE = (
    OSError, KeyError, TypeError, ValueError, IndexError, AttributeError, pa.ArrowException, fits.VerifyError, Warning,
)  # fmt: skip
SUM_TOLERANCE = 1e-4  # float32 softmax sums to one within 1e-6; 1e-4 would shift z_phot by a tenth of the bias


def predictions_table(catalog_columns, pdf, grid, survey, origin, model="", n_members=1, meta=None):
    """Predictions of a catalogue from their PDFs.

    Parameters
    ----------
    catalog_columns : Table or dict of str to ndarray, shape (n, ...)
        Carried as they are; `obj_id` is needed, a `flag` other than 0 stays a flag.
    pdf : ndarray, shape (n, n_bins)
        Probability of each redshift bin; NaN in rows of galaxies that have none.
    grid : RedshiftGrid
    survey : Survey
    origin : str
        "simulated", "stacked" (real pixels) or "catalogue" (real magnitudes).
    model : str
        What made the PDFs, such as the name of the network.
    n_members : int
        Networks averaged.
    meta : dict, optional
        Further facts for the header: short strings, numbers and booleans.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If a column is missing, reserved or of another length, or a row of `pdf` is no probability.
    """
    if origin not in ORIGINS:
        raise ValueError(f"origin must be one of {', '.join(ORIGINS)}, got {origin!r}")
    table = _plain_columns(Table(catalog_columns, copy=True))
    table.meta = {"survey": survey.name, "origin": origin, "z_min": grid.z_min, "z_max": grid.z_max}
    table.meta |= {"n_bins": grid.n_bins, "model": model, "n_members": n_members, **(meta or {})}
    if "obj_id" not in table.colnames:
        raise ValueError(f"predictions need column obj_id, the catalogue has {', '.join(table.colnames)}")
    reserved = [name for name in ESTIMATES if name in table.colnames and name != "flag"]
    if reserved:
        raise ValueError(f"catalogue column {', '.join(reserved)} would be overwritten by the predictions; rename it")
    pdf = np.array(pdf, np.float32)
    if pdf.shape != (len(table), grid.n_bins):
        raise ValueError(f"pdf has shape {pdf.shape}, the catalogue and the grid need {(len(table), grid.n_bins)}")
    bad = np.isnan(pdf).any(axis=1)
    _check_probability(pdf[~bad], table["obj_id"][~bad])
    pdf[bad] = np.nan
    before = np.asarray(table["flag"]) != 0 if "flag" in table.colnames else False
    columns = {"flag": (bad | before).astype(np.int16), **_point_estimates(pdf, bad, grid), "pdf": pdf}
    for name, description in ESTIMATES.items():
        table[name] = Column(columns[name], description=description)
    for name, (unit, description) in CATALOGUE.items():
        if name in table.colnames:
            table[name].unit = table[name].unit or unit or None
            table[name].description = table[name].description or description
    return table


def _plain_columns(table):
    """Native numbers and text without masks: masked floats are NaN, masked text is "", integers have no such value."""
    for name in table.colnames:
        if table[name].dtype.kind in "SO":  # FITS and TFDS give text as bytes
            text = ["" if value is np.ma.masked else value for value in table[name]]
            text = [value.decode() if isinstance(value, bytes) else str(value) for value in text]
            table[name] = Column(text, unit=table[name].unit, description=table[name].description)
        elif not table[name].dtype.isnative:
            table[name] = table[name].astype(table[name].dtype.newbyteorder("="))
        column = table[name]
        if not hasattr(column, "mask"):
            continue
        if column.dtype.kind not in "fU" and np.any(column.mask):
            raise ValueError(f"catalogue column {name} has {np.sum(column.mask)} masked values; fill or leave it out")
        table[name] = column.filled(np.nan if column.dtype.kind == "f" else None)
        if column.dtype.kind == "U":
            table[name][column.mask] = ""
    return table


def _point_estimates(pdf, bad, grid):
    """Float64 columns z_phot ... z_upper, NaN where there is no PDF (argmax and comparisons would give a number)."""
    functions = {
        "z_phot": grid.expectation,
        "z_median": lambda part: grid.quantile(part, 0.5),
        "z_mode": grid.mode,
        "z_lower": lambda part: grid.quantile(part, 0.16),
        "z_upper": lambda part: grid.quantile(part, 0.84),
    }
    columns = {name: np.full(len(pdf), np.nan) for name in functions}
    for name, function in functions.items():
        columns[name][~bad] = in_slices(function, pdf[~bad])
    return columns


def _check_probability(pdf, obj_id):
    """Raise a ValueError that names the first galaxy whose PDF is negative or does not sum to one."""
    wrong = (pdf < 0).any(axis=1) | ~(np.abs(pdf.sum(axis=1, dtype=float) - 1) < SUM_TOLERANCE)
    if wrong.any():
        first = np.argmax(wrong)
        raise ValueError(
            f"{wrong.sum()} PDFs are negative somewhere or do not sum to one; the first is of galaxy {obj_id[first]} "
            f"(sum {pdf[first].sum():.6g}, minimum {pdf[first].min():.3g})"
        )


def write_predictions(table, path):
    """Write predictions to a temporary name, then rename it; the suffix says FITS or Parquet.

    Parameters
    ----------
    table : Table
        From `predictions_table`.
    path : path-like
        Ends in .fits or .parquet.

    Raises
    ------
    ValueError
        If the suffix is another one, or a meta value or column has no form on disk.
    """
    path = Path(path)
    _grid_of(table, path)
    with write_whole(path) as part:
        _by_suffix(path, _write_fits, _write_parquet)(table, part)


def read_predictions(path):
    """Predictions and their redshift grid, checked.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    table : Table
    grid : RedshiftGrid

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is truncated, is not a predictions table, or contradicts its own grid.
    """
    path = Path(path)
    read = _by_suffix(path, _read_fits, _read_parquet)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; `photoz predict` writes it")
    try:
        table = read(path)
    except UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: not a predictions table, or truncated ({reason}); predict again") from error
    grid, good = _grid_of(table, path), np.asarray(table["flag"]) == 0
    try:
        _check_probability(np.asarray(table["pdf"])[good], table["obj_id"][good])
    except ValueError as error:
        raise ValueError(f"{path}: {error}; predict again") from error
    return table, grid


def _grid_of(table, path):
    """Redshift grid of a table; raises a ValueError where meta, columns and grid do not fit."""
    missing = [key for key in REQUIRED_META if key not in table.meta]
    if missing:
        raise ValueError(f"{path}: not a predictions table, its header lacks {', '.join(missing)}")
    if table.meta["origin"] not in ORIGINS:
        raise ValueError(f"{path}: origin is {table.meta['origin']!r}, not one of {', '.join(ORIGINS)}")
    missing = [name for name in ("obj_id", *ESTIMATES) if name not in table.colnames]
    if missing:
        raise ValueError(f"{path}: predictions lack column {', '.join(missing)}; predict again")
    grid = RedshiftGrid(*(table.meta[key] for key in ("z_min", "z_max", "n_bins")))
    if table["pdf"].shape != (len(table), grid.n_bins):
        raise ValueError(
            f"{path}: column pdf has shape {table['pdf'].shape}, the grid in its header needs "
            f"{(len(table), grid.n_bins)}; predict again"
        )
    return grid


def _by_suffix(path, for_fits, for_parquet):
    """The one of two functions that the suffix asks for."""
    if path.suffix not in (".fits", ".parquet"):
        raise ValueError(f"{path}: predictions are written as .fits or .parquet, not {path.suffix!r}")
    return for_fits if path.suffix == ".fits" else for_parquet


def _write_fits(table, path):
    """One binary table; keys of meta are header keywords, descriptions are TCOMMn."""
    bare = table.copy(copy_data=False)
    bare.meta = {}
    hdu = fits.BinTableHDU(bare, name="PREDICTIONS")
    for number, column in enumerate(table.itercols(), 1):
        if column.description:
            hdu.header[f"TCOMM{number}"] = column.description
    for key, value in table.meta.items():
        hdu.header[key.upper() if len(key) <= 8 else f"HIERARCH {key.upper()}"] = value
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)


def _read_fits(path):
    """Table with meta keys in lower case and numbers in the machine's byte order."""
    with warnings.catch_warnings():
        # astropy would go on with what is left
        warnings.filterwarnings("error", message=".*truncated|Error validating")
        with fits.open(path, memmap=False) as hdus:
            table = Table.read(hdus["PREDICTIONS"], mask_invalid=False, character_as_bytes=False)
    header = {key.lower(): value for key, value in table.meta.items()}
    table = _plain_columns(table)
    for number, name in enumerate(table.colnames, 1):
        table[name].description = header.pop(f"tcomm{number}", None)
    table.meta = {key: value for key, value in header.items() if key != "extname"}
    return table


def _write_parquet(table, path):
    """Vector columns are fixed-size lists; meta is JSON in the file's metadata, unit and description in the fields'."""
    fields, arrays = [], []
    for name in table.colnames:
        column = table[name]
        if column.ndim > 2:
            raise ValueError(f"column {name} has shape {column.shape}; Parquet takes one number or vector per galaxy")
        values = pa.array(np.asarray(column).ravel())
        array = values if column.ndim == 1 else pa.FixedSizeListArray.from_arrays(values, column.shape[1])
        notes = {"unit": str(column.unit or ""), "description": column.description or ""}
        fields.append(pa.field(name, array.type, metadata=notes))
        arrays.append(array)
    header = {"photoz_morph": json.dumps(table.meta, default=lambda number: number.item())}
    content = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=header))
    pq.write_table(content, path, write_page_checksum=True)


def _read_parquet(path):
    """Table with its meta, units and descriptions."""
    stored = pq.read_table(path, page_checksum_verification=True)
    table = Table(meta=json.loads(stored.schema.metadata[b"photoz_morph"]))
    for field, chunks in zip(stored.schema, stored.columns):
        array = chunks.combine_chunks()
        if pa.types.is_fixed_size_list(field.type):
            values = array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), field.type.list_size)
        else:
            values = array.to_numpy(zero_copy_only=False)
        notes = {key.decode(): text.decode() for key, text in (field.metadata or {}).items()}
        table[field.name] = Column(
            values.astype(str) if values.dtype == object else values,
            unit=notes.get("unit") or None,
            description=notes.get("description") or None,
        )
    return table
