"""Baseline predictions for a catalogue, a folder of stacks, or the real SDSS galaxies shipped with the package.

Magnitudes are found under their usual column names. The predictions have a row for every galaxy; one without a
magnitude is flagged, with the reason.
"""

import warnings
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from astropy.table import vstack

from photoz_morph.catalogs.dust import EBV_SOURCE, sfd_ebv
from photoz_morph.catalogs.folds import assign_fold
from photoz_morph.catalogs.galaxies import check_galaxy_catalog, read_galaxy_catalog
from photoz_morph.catalogs.numbers import floats
from photoz_morph.catalogs.per_band import VALID_MAGNITUDES, gather, magnitude_prefix
from photoz_morph.photoz.baselines.cross_validation import METHODS, MODELS, STAMP_MODELS, cross_validate
from photoz_morph.photoz.baselines.local_linear import photometric_features
from photoz_morph.photoz.baselines.shapes import crude_shapes
from photoz_morph.photoz.predictions import ESTIMATES, predictions_table
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.shards.stacks import find_shards, read_catalog, read_shard, survey_of_folder
from photoz_morph.surveys import SDSS

R_LIMIT, Z_LIMIT = 17.8, 0.4  # the Main Galaxy Sample as cut by Pasquet et al. (2019), Sec. 2
NO_EBV = "none"  # ebv_source of a galaxy whose magnitudes are not corrected
WRITTEN_COLUMNS = ("fold", *(name for name in ESTIMATES if name != "flag"))


def real_galaxies():
    """The galaxies of the Main Galaxy Sample among the 10,000 real ones shipped with the package.

    Returns
    -------
    Table
        9,811 galaxies of dereddened Petrosian r < 17.8 and z_spec <= 0.4; see photoz_morph/data/README.md.
    """
    with as_file(files("photoz_morph").joinpath("data/sdss_galaxies.fits.gz")) as path:
        table = read_galaxy_catalog(path)
    r = np.asarray(table["petroMag_r"], float) - table["ebv"] * SDSS.extinction_per_ebv[SDSS.bands.index("r")]
    return table[(r < R_LIMIT) & (table["z_spec"] <= Z_LIMIT)]


def read_photometry(path, survey=SDSS):
    """Read galaxies with magnitudes, and their origin, from a catalogue or a folder of stacks.

    Parameters
    ----------
    path : path-like
        A file for `read_galaxy_catalog`, or a folder with `stacks-*.fits`.
    survey : Survey
        Of the magnitudes.

    Returns
    -------
    table : Table
        As from `check_galaxy_catalog`.
    origin : str
        "simulated" if the header says so (ORIGIN, in all that this package writes), else "catalogue".

    Raises
    ------
    FileNotFoundError
    ValueError
        If a file cannot be read or used.
    """
    if not Path(path).is_dir():
        table = read_galaxy_catalog(path, ("z_spec",), survey.bands)
        return table, "simulated" if table.meta.get("ORIGIN") == "simulated" else "catalogue"
    tables, headers = zip(*(read_catalog(shard) for shard in find_shards(path)))
    table = check_galaxy_catalog(vstack(tables, metadata_conflicts="silent"), path, ("z_spec",), survey.bands)
    return table, "simulated" if "simulated" in {header["ORIGIN"] for header in headers} else "catalogue"


def catalog_baselines(
    catalog=None, methods=None, simulated=False, z_max=None, progress=False, on_table=lambda table: None,
    survey=None,
):  # fmt: skip
    """Predictions of the baselines for a catalogue, one method at a time.

    Parameters
    ----------
    catalog : path-like, optional
        File or folder for `read_photometry`; by default `real_galaxies`.
    methods : sequence of str, optional
        Of `cross_validation.MODELS`, and for a folder of stacks of `STAMP_MODELS`; all by default.
    simulated : bool
        Whether the magnitudes are simulated, though the header does not say so.
    z_max : float, optional
        End of the redshift grid, 0.4 by default; the bins keep their width.
    progress : bool
    on_table : callable
        Called with the table before anything is computed, such as to check that its predictions can be written.
    survey : Survey, optional
        Of the magnitudes; by default that of the folder of stacks, and SDSS for anything else.

    Yields
    ------
    method : str
    table : Table
        As from `predict_catalog`.
    grid : RedshiftGrid

    Warns
    -----
    UserWarning
        If columns u, g, r, i, z are taken for the magnitudes, or there is neither E(B-V) nor a position.

    Raises
    ------
    ValueError
        If the survey is not that of the folder of stacks, or a method needs stamps and the catalogue has none.
    """
    has_stamps = catalog is not None and Path(catalog).is_dir()
    methods = methods or tuple(METHODS if has_stamps else MODELS)
    of_stamps = [method for method in methods if method in STAMP_MODELS]
    if of_stamps and not has_stamps:
        source = catalog or "the shipped galaxies"
        raise ValueError(f"{source}: no stamps, which {of_stamps[0]} measures; give a run or a folder of stacks")
    if has_stamps:
        found = survey_of_folder(catalog)
        if survey is not None and found != survey:
            raise ValueError(f"{catalog}: stacks of {found.name}, not of {survey.name}; leave out --survey")
        survey = found
    survey = survey or SDSS
    table, origin = (real_galaxies(), "catalogue") if catalog is None else read_photometry(catalog, survey)
    on_table(table)
    if "mags" not in table.colnames and magnitude_prefix(table, survey.bands) == "":
        warnings.warn(f"{catalog}: {', '.join(survey.bands)} are taken for the magnitudes", stacklevel=2)
    if not (np.isfinite(table["ebv"]) | _has_position(table)).any():
        warnings.warn(
            f"{catalog}: neither ebv nor positions (ra, dec), so the magnitudes are not corrected for Galactic dust",
            stacklevel=2,
        )
    origin, grid = "simulated" if simulated else origin, RedshiftGrid()
    if z_max:
        grid = RedshiftGrid(0.0, z_max, max(1, round(z_max / grid.width)))
    for method in methods:
        source = catalog or "shipped"
        shapes = _shapes_of_stacks(catalog, survey) if method in STAMP_MODELS else None
        yield method, predict_catalog(table, method, grid, origin, survey, source, progress, shapes), grid


def predict_catalog(
    catalog, method, grid, origin="catalogue", survey=SDSS, source="catalogue", progress=False, shapes=None
):
    """Predict every galaxy of a table with a baseline, each from the galaxies of the other folds.

    Parameters
    ----------
    catalog : Table
        From `read_photometry`, with magnitudes as for `catalog_magnitudes`.
    method : str
        One of `cross_validation.METHODS`.
    grid : RedshiftGrid
    origin : str
        "catalogue" for real magnitudes, "simulated" for others.
    survey : Survey
    source : path-like
        Named in messages.
    progress : bool
    shapes : ndarray, shape (n, n_shapes), optional
        From `crude_shapes`, for a method of `STAMP_MODELS`.

    Returns
    -------
    Table
        The catalogue's rows and columns, `ebv` filled from the dust map where it was NaN (`ebv_source`), `fold` (-1
        without z_spec: predicted from all the others), `flag` and `flag_reason` of galaxies without a magnitude. The
        header names the magnitudes used under `photom`. Positions are needed for the dust map only: if no galaxy has
        `ebv` or a position, `ebv` stays NaN and the magnitudes are used as they are; if some have, the others are
        flagged.

    Raises
    ------
    ValueError
        If there are no magnitudes, a column has the name of one written here, a z_spec is impossible, or too few
        galaxies can train.
    """
    if "pdf" in catalog.colnames:
        raise ValueError(f"{source}: is a table of predictions; give the catalogue or the run that it was made from")
    taken = [name for name in catalog.colnames if name.lower() in WRITTEN_COLUMNS]
    if taken:
        raise ValueError(f"{source}: column {', '.join(taken)} would be overwritten by the predictions; rename it")
    if "flag" in catalog.colnames and catalog["flag"].dtype.kind not in "iubf":
        raise ValueError(f"{source}: column flag is text, where flag is 0 for a good galaxy; rename it")
    mags, r_mag, names = catalog_magnitudes(catalog, survey, source)
    table, z_spec = catalog.copy(), np.asarray(catalog["z_spec"], float)
    ebv = _fill_ebv(table)
    table["fold"] = np.where(np.isfinite(z_spec), assign_fold(table["group_id"]), -1)
    lacking = _missing(np.column_stack([mags, r_mag]), ebv, survey)
    before = np.asarray(table["flag_reason"]).astype(str) if "flag_reason" in table.colnames else ""
    table["flag_reason"] = np.where(before == "", lacking, before)
    features = photometric_features(mags, ebv, survey, r_mag)
    if shapes is not None:
        features = np.column_stack([features, shapes])
    trusted = np.asarray(table["flag"]) == 0 if "flag" in table.colnames else True
    z_train = np.where(trusted, z_spec, np.nan)  # a flagged galaxy is predicted but not trained on
    try:
        pdf = cross_validate(method, features, z_train, table["fold"], grid, progress)
        return predictions_table(table, pdf, grid, survey, origin, METHODS[method], meta={"photom": names})
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def _shapes_of_stacks(folder, survey):
    """Shapes of the galaxies of a folder of stacks, shard after shard."""
    return np.concatenate([crude_shapes(read_shard(shard)[0], survey) for shard in find_shards(folder)])


def _has_position(table):
    """True for rows with a known position, shape (n,)."""
    if not {"ra", "dec"} <= set(table.colnames):
        return np.zeros(len(table), bool)
    return np.isfinite(table["ra"]) & np.isfinite(table["dec"])


def _fill_ebv(table):
    """Fill `ebv` from the dust map, in place, and name its source; E(B-V) to correct with, 0 if no galaxy has one."""
    ebv = np.array(table["ebv"], float)
    known, placed = np.isfinite(ebv), _has_position(table)
    mapped = ~known & placed
    if mapped.any():
        ebv[mapped] = sfd_ebv(np.asarray(table["ra"])[mapped], np.asarray(table["dec"])[mapped])
    named = np.asarray(table["ebv_source"]) if "ebv_source" in table.colnames else "catalogue"
    table["ebv"] = ebv
    table["ebv_source"] = np.where(known, named, np.where(placed, EBV_SOURCE, NO_EBV))
    return ebv if (known | placed).any() else np.zeros(len(table))


def catalog_magnitudes(table, survey=SDSS, source="catalogue"):
    """Magnitudes of a table in all bands of a survey, and that in its reference band used beside the colours.

    Parameters
    ----------
    table : Table
        With a column `mags`, shape (n, n_bands), or one column per band: mag_u, modelMag_u, cModelMag_u, psfMag_u,
        petroMag_u or u and so on, in any letter case; asinh or AB magnitudes, not corrected for Galactic dust [mag].
    survey : Survey
    source : path-like
        Named in messages.

    Returns
    -------
    mags : ndarray, shape (n, n_bands)
        NaN where missing: empty, or outside `VALID_MAGNITUDES`.
    r_mag : ndarray, shape (n,)
        Column petroMag_r where there is one (Beck et al. 2016), else r of `mags`; another band for a survey without r,
        see `Survey.reference_band`.
    names : str
        Columns used, such as "modelMag, r petroMag".

    Raises
    ------
    ValueError
        If there are no such columns, or they are not numeric.
    """
    mags = gather(table, "mags", survey.bands, source)
    if mags is None:
        raise ValueError(
            f"{source}: no magnitudes in all of the bands {' '.join(survey.bands)} (columns found: "
            f"{', '.join(table.colnames)}); name them mag_u ... or modelMag_u ..., or one column mags of "
            f"{survey.n_bands} numbers"
        )
    column_of = {name.lower(): name for name in table.colnames}
    prefix = "mags" if "mags" in column_of else magnitude_prefix(table, survey.bands) or "".join(survey.bands)
    band = survey.reference_band
    petrosian = column_of.get(f"petromag_{band}".lower())
    if petrosian is None or prefix == "petroMag":
        return mags, mags[:, survey.bands.index(band)], prefix
    r_mag = floats(table[petrosian], source)
    r_mag = np.where((r_mag > VALID_MAGNITUDES[0]) & (r_mag < VALID_MAGNITUDES[1]), r_mag, np.nan)
    return mags, r_mag, f"{prefix}, {band} petroMag"


def _missing(mags, ebv, survey):
    """Reason why each galaxy has no PDF, "" if it has one; the last column of `mags` is that of the reference band."""
    reasons = np.where(np.isnan(ebv), "neither E(B-V) nor a position", "").astype(object)
    for row in np.flatnonzero(np.isnan(mags).any(axis=1)):
        names = [band for band, mag in zip(survey.bands, mags[row]) if np.isnan(mag)]
        names = names or [f"Petrosian {survey.reference_band}"]
        reasons[row] = f"no magnitude in {', '.join(names)}"
    return reasons.astype(str)
