"""Predictions table: one row per galaxy with its binned PDF and point estimates, in memory and on disk.

`photoz predict`, `infer` and `baseline` write it, `evaluate` and `report` read it. The suffix of the file name gives
the format: FITS, Parquet, qp's HDF5 or HATS; `photoz convert` converts between them. The table is an astropy Table of
the catalogue's own columns, in the catalogue's order, followed by `flag`, `z_phot`, `z_median`, `z_mode`, `z_lower`,
`z_upper` and `pdf`, and with calibrated PDFs by the columns of `CALIBRATED`. Its meta, the FITS header of HDU
`PREDICTIONS`, holds `survey`, the grid (`z_min`, `z_max`, `n_bins`), `origin` ("simulated", "stacked" or "catalogue"),
`model`, `n_member`, the provenance `bands`, `unit`, `code`, `model_id`, `data_id`, `engine`, `combine` (see
`system.provenance`), `calib_id` of calibrated PDFs, and further facts of the writer. A galaxy without a PDF keeps its
row, with NaN and flag 1.
"""

import tempfile
import zlib
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Column, Table
from pyarrow import ArrowException

from photoz_morph.metrics.checks import is_probability
from photoz_morph.metrics.redshifts.pdf_scores import in_slices
from photoz_morph.photoz.formats.compact import compact, edges_metadata, expand
from photoz_morph.photoz.formats.hats import read_hats_predictions, write_hats
from photoz_morph.photoz.formats.qp import read_qp, write_qp
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.streaming.joined_files import join_fits, join_parquet
from photoz_morph.streaming.parts import OnePart
from photoz_morph.surveys import SDSS
from photoz_morph.system.columns import plain_columns, require_distinct_names
from photoz_morph.system.files import reason_and_remedy, write_whole
from photoz_morph.system.provenance import code_version
from photoz_morph.system.tables import read_fits, read_parquet

TABLE_ORIGINS = ("simulated", "stacked", "catalogue")  # keys of runs.scores.ORIGINS
ESTIMATES = {
    "flag": "0: good; 1: no PDF, or flagged before",
    "z_phot": "mean of the PDF over bin midpoints",
    "z_median": "median of the PDF",
    "z_mode": "midpoint of the most probable bin",
    "z_lower": "16 % quantile of the PDF",
    "z_upper": "84 % quantile of the PDF",
    "pdf": "probability of each redshift bin",
}
CALIBRATED = {  # further columns, of calibrated PDFs
    **{
        f"z_{end}_{level}": f"{end} end of the conformal interval of {level} % coverage"
        for level in (68, 90, 95)
        for end in ("lower", "upper")
    },
    "ood_score": "distance from the training galaxies in latent space; 1 is the 99 % quantile of validation galaxies",
    "quality": "bits: 1 wide PDF, 2 several peaks, 4 out of distribution, 8 blank band, 16 bad pixels, 32 frame edge, "
    "64 no PDF",
    "pit_uncalibrated": "PIT of z_spec in the mean PDF of the members, before calibration",
}
CATALOGUE = {
    "obj_id": ("", "identifier of the galaxy"),
    "group_id": ("", "shared by all copies of a galaxy"),
    "ra": ("deg", "right ascension, J2000"),
    "dec": ("deg", "declination, J2000"),
    "ebv": ("mag", "Galactic E(B-V)"),
    "z_spec": ("", "spectroscopic redshift, NaN where unknown"),
    "fold": ("", "cross-validation fold that tested this galaxy"),
    "mags": ("mag", "magnitude in each band"),
    "mag_errs": ("mag", "error of mags"),
    "petro_r": ("mag", "r magnitude of the selection"),
    "psf_fwhm": ("arcsec", "seeing in each band"),
    "snr": ("", "signal to noise in each band"),
    "n_frames": ("", "exposures in the stack of each band"),
    "true_mags": ("mag", "true magnitude in each band"),
    "r_e": ("arcsec", "true half-light radius along the major axis"),
    "axis_ratio": ("", "axis ratio b/a"),
    "n_neighbours": ("", "neighbours in or at the edge of the stamp"),
}
# Keys of earlier versions -> those of today, which FITS keywords of eight letters can hold.
EARLIER_META = {"z_phot_bins": "zphot_at", "n_members": "n_member", "max_cdf_error": "cdf_err"}
REQUIRED_META = ("survey", "origin", "z_min", "z_max", "n_bins")
UNREADABLE = (
    OSError, EOFError, KeyError, TypeError, ValueError, IndexError, AttributeError, zlib.error, ArrowException,
    fits.VerifyError, Warning,
)  # fmt: skip
READERS = {".fits": read_fits, ".parquet": read_parquet, ".hdf5": read_qp, ".hats": read_hats_predictions}


def predictions_table(catalog_columns, pdf, grid, survey, origin, model="", n_members=1, meta=None, calibrated=None):
    """Predictions of a catalogue from their PDFs.

    Parameters
    ----------
    catalog_columns : Table or dict of str to ndarray, shape (n, ...)
        Copied unchanged; `obj_id` is required, a `flag` other than 0 stays a flag.
    pdf : ndarray, shape (n, n_bins)
        Probability of each redshift bin; NaN in rows of galaxies that have none.
    grid : RedshiftGrid
    survey : Survey
    origin : str
        "simulated", "stacked" (real pixels) or "catalogue" (real magnitudes).
    model : str
        Name of the network or baseline that gave the PDFs.
    n_members : int
        Networks averaged.
    meta : dict, optional
        Further facts for the header: short strings, numbers and booleans. `zphot_at`, by default "midpoints",
        names the redshifts averaged in z_phot; see `RedshiftGrid.positions`.
    calibrated : dict of str to ndarray, shape (n,), optional
        Columns of `CALIBRATED`, where the PDFs are calibrated.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If a column is missing, reserved or of another length, or a row of `pdf` is no probability.
    """
    if origin not in TABLE_ORIGINS:
        raise ValueError(f"origin must be one of {', '.join(TABLE_ORIGINS)}, got {origin!r}")
    table = plain_columns(Table(catalog_columns, copy=True))
    table.meta = {"survey": survey.name, "origin": origin, "z_min": grid.z_min, "z_max": grid.z_max}
    table.meta |= {"n_bins": grid.n_bins, "zphot_at": "midpoints", "model": model, "n_member": n_members}
    table.meta |= {"bands": ",".join(survey.bands), "unit": "mag" if origin == "catalogue" else survey.image_unit}
    table.meta |= {"code": code_version(), **present_keys(meta or {})}
    if "obj_id" not in table.colnames:
        raise ValueError(f"predictions need column obj_id, the catalogue has {', '.join(table.colnames)}")
    if table["obj_id"].dtype.kind not in "iu":
        raise ValueError("predictions need an integer as obj_id of every galaxy; some have none, or another value")
    require_distinct_names(table.colnames, "catalogue")
    added = {**ESTIMATES, **{name: CALIBRATED[name] for name in calibrated or {}}}
    reserved = [name for name in table.colnames if name != "flag" and name.lower() in added]
    if reserved:
        raise ValueError(f"catalogue column {', '.join(reserved)} would be overwritten by the predictions; rename it")
    pdf = np.array(pdf, np.float32)
    if pdf.shape != (len(table), grid.n_bins):
        raise ValueError(f"pdf has shape {pdf.shape}, the catalogue and the grid need {(len(table), grid.n_bins)}")
    bad = np.isnan(pdf).any(axis=1)
    check_probability(pdf, ~bad, table["obj_id"])
    pdf[bad] = np.nan
    before = np.asarray(table["flag"]) != 0 if "flag" in table.colnames else False
    columns = {"flag": (bad | before).astype(np.int16), "pdf": pdf}
    columns |= _point_estimates(pdf, bad, grid, table.meta["zphot_at"])
    columns |= calibrated or {}
    for name, description in added.items():
        table[name] = Column(columns[name], description=description)
    table["z_phot"].description = f"mean of the PDF over bin {table.meta['zphot_at'].replace('-', ' ')}"
    for name, (unit, description) in CATALOGUE.items():
        if name in table.colnames:
            table[name].unit = table[name].unit or unit or None
            table[name].description = table[name].description or description
    return table


def _point_estimates(pdf, bad, grid, z_phot_bins):
    """Float64 columns z_phot ... z_upper, NaN where there is no PDF (argmax and comparisons would give a number)."""
    functions = {
        "z_phot": lambda part: grid.expectation(part, z_phot_bins),
        "z_median": lambda part: grid.quantile(part, 0.5),
        "z_mode": grid.mode,
        "z_lower": lambda part: grid.quantile(part, 0.16),
        "z_upper": lambda part: grid.quantile(part, 0.84),
    }
    columns = {name: np.full(len(pdf), np.nan) for name in functions}
    for name, function in functions.items():
        columns[name][~bad] = in_slices(function, pdf[~bad])
    return columns


def check_probability(pdf, good, obj_id):
    """Raise a ValueError that names the first good galaxy whose PDF is negative or does not sum to one."""
    wrong = good & ~in_slices(is_probability, pdf)
    if wrong.any():
        first = np.argmax(wrong)
        raise ValueError(
            f"{wrong.sum()} PDFs are negative somewhere or do not sum to one; the first is of galaxy {obj_id[first]} "
            f"(sum {pdf[first].sum():.6g}, minimum {pdf[first].min():.3g})"
        )


def write_predictions(table, path, max_cdf_error=None):
    """Write predictions to a temporary name, then rename it; the suffix gives the format.

    Parameters
    ----------
    table : Table
        From `predictions_table`.
    path : path-like
        Ends in .fits, .parquet, .hdf5 (a qp ensemble) or .hats (a folder that does not exist).
    max_cdf_error : float, optional
        Write compact PDFs with at most this error of the cumulative distribution; see `formats.compact`.

    Raises
    ------
    ValueError
        If the suffix is unknown, or a meta value or column cannot be written in that format.
    """
    path = Path(path)
    check_suffix(path)
    grid = grid_of(table, path)
    if max_cdf_error is not None:
        if path.suffix == ".hdf5":
            raise ValueError(f"{path}: qp reads whole PDFs only; write compact ones as .fits, .parquet or .hats")
        table = compact(table, grid, max_cdf_error)
    _write(OnePart(table), path, grid)


def write_predictions_parts(parts, path):
    """Write predictions that come in parts to a temporary name, then rename it; one part at a time is in memory.

    Parameters
    ----------
    parts : Parts or OnePart
        See `streaming.parts`.
    path : path-like
        As for `write_predictions`.

    Raises
    ------
    ValueError
        As from `write_predictions`.
    OSError
        With a message that names `path` and the remedy.
    """
    path = Path(path)
    check_suffix(path)
    _write(parts, path, grid_of(parts.template, path))


def _write(parts, path, grid):
    """Write checked parts in the format of the suffix."""
    if path.suffix == ".hats":
        write_hats(parts, path)
        return
    with write_whole(path) as part:
        if path.suffix == ".hdf5":
            write_qp(parts, grid, part)
        elif path.suffix == ".fits":
            join_fits(parts, part)
        else:
            join_parquet(parts, part, edges_metadata(parts.template.meta))


def rehearse_predictions(catalog_columns, path, source="catalogue", model="", calibrated=()):
    """Write predictions of a catalogue with PDFs of one bin beside `path`, and remove them.

    What could not be written after hours of work is refused before it: a column with the name of a column of the
    predictions or of the format, a column that the format cannot hold, a missing package, a folder without permission.

    Parameters
    ----------
    catalog_columns : Table or dict of str to ndarray, shape (n, ...)
    path : path-like
        As for `write_predictions`.
    source : path-like
        Named in errors about the catalogue.
    model : str
        Name of the network, which names of columns of a HATS catalogue begin with.
    calibrated : iterable of str
        Columns of `CALIBRATED` that the predictions will have.

    Raises
    ------
    ValueError
        As from `predictions_table` and `write_predictions`.
    OSError
        With a message that names `path` and the remedy.
    """
    path, grid = Path(path), RedshiftGrid(n_bins=1)
    check_suffix(path)
    n_galaxies = len(next(iter(Table(catalog_columns, copy=False).itercols())))
    try:
        added = {name: np.zeros(n_galaxies) for name in calibrated}
        table = predictions_table(
            catalog_columns, np.ones((n_galaxies, 1)), grid, SDSS, "catalogue", model, calibrated=added
        )
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            part = Path(folder, path.name)
            try:
                write_predictions(table, part)
            except (ValueError, TypeError, OSError) as error:
                raise type(error)(str(error).replace(str(part), str(path))) from error
    except OSError as error:
        raise OSError(reason_and_remedy(error, "" if str(path) in str(error) else path)) from error
    except (ValueError, TypeError) as error:
        where = "" if str(error).startswith(f"{path}: ") else f"{source}: "
        raise ValueError(f"{where}{' '.join(str(error).split())}") from error


def read_predictions(path):
    """Read predictions and their redshift grid, and check them; compact PDFs are expanded.

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
    check_suffix(path)
    if not (path.is_dir() if path.suffix == ".hats" else path.is_file()):
        raise FileNotFoundError(f"{path}: no such file; `photoz predict` writes it")
    try:
        table = READERS[path.suffix](path)
        table.meta = present_keys(table.meta)
        table = expand(table)
    except UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: not a predictions table, or truncated ({reason}); predict again") from error
    grid, good = grid_of(table, path), np.asarray(table["flag"]) == 0
    try:
        check_probability(np.asarray(table["pdf"]), good, table["obj_id"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}; predict again") from error
    return table, grid


def predictions_file(path):
    """Predictions file of a run folder; a file is itself, and so is a HATS catalogue, which is a folder."""
    path = Path(path)
    return path / "predictions.fits" if path.is_dir() and path.suffix != ".hats" else path


def present_keys(meta):
    """Meta under the keys of this version."""
    return {EARLIER_META.get(key, key): value for key, value in meta.items()}


def check_suffix(path):
    """Raise a ValueError if the suffix of a file is not that of a known format."""
    if path.suffix not in READERS:
        raise ValueError(f"{path}: predictions are written as {', '.join(READERS)}, not {path.suffix!r}")


def grid_of(table, path):
    """Redshift grid of a table; raises a ValueError if meta, columns and grid disagree."""
    missing = [key for key in REQUIRED_META if key not in table.meta]
    if missing:
        raise ValueError(f"{path}: not a predictions table, its header lacks {', '.join(missing)}")
    if table.meta["origin"] not in TABLE_ORIGINS:
        raise ValueError(f"{path}: origin is {table.meta['origin']!r}, not one of {', '.join(TABLE_ORIGINS)}")
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
