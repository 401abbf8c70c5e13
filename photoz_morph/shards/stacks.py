"""Stacks on disk: FITS shards of up to 1,000 galaxies, an image cube and a table of one row per galaxy.

`photoz simulate` and `photoz stack` write them, `photoz build` and `photoz infer` read them. A folder of shards is
`stacks-00000.fits`, `stacks-00001.fits`, ...; each holds

- the primary header: SURVEY, BANDS (comma separated, in the order of the last image axis), PIXSCALE [arcsec],
  BUNIT, ORIGIN (`simulated` or `stacked`), and further cards of the writer (a seed, settings of SWarp). SURVDESC is
  the whole description of the survey as JSON; SDSS has none, whose numbers are those of the paper;
- HDU `IMAGE`: float32, shape (n, size, size, n_bands);
- HDU `CATALOG`: one row per galaxy, in the order of the cube. `obj_id`, `group_id`, `ra`, `dec` [deg], `z_spec`
  (NaN where unknown), `ebv` [mag] and `flag` are always there. `flag` is 0 for a good stack and 1 for one that could
  not be made; its pixels are then NaN and `flag_reason` gives the reason.

Each HDU has its checksum (FITS standard 4.0, Appendix J), so that any later change of a bit is detected.
"""

import json
from pathlib import Path

import numpy as np
from astropy.io import fits

from photoz_morph.surveys import SDSS, SURVEYS, survey_from_dict, survey_to_dict
from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import open_fits, primary_hdu, read_table, require_cards, require_columns

SHARD_SIZE = 1000
REQUIRED_COLUMNS = ("obj_id", "group_id", "ra", "dec", "z_spec", "ebv", "flag")


def shard_path(folder, index):
    """Path of the shard of that index."""
    return Path(folder) / f"stacks-{index:05d}.fits"


def write_shard(path, images, table, survey, origin, header=()):
    """Write one shard to a temporary name, then rename it.

    Parameters
    ----------
    path : path-like
    images : ndarray, shape (n, size, size, n_bands)
        Stacks [unit of the survey].
    table : Table
        One row per galaxy, with at least `REQUIRED_COLUMNS`.
    survey : Survey
    origin : str
        "simulated" or "stacked".
    header : iterable of (keyword, value, comment)
        Further cards of the primary header.

    Raises
    ------
    ValueError
        If the shapes do not fit the survey or each other, or a required column is missing.
    """
    path = Path(path)
    expected = (len(table), *survey.image_shape)
    if images.shape != expected:
        raise ValueError(f"{path}: image cube has shape {images.shape}, {survey.name} and the table need {expected}")
    require_columns(path, table, REQUIRED_COLUMNS, "add it")
    cards = [
        ("SURVEY", survey.name, "see photoz_morph.surveys"),
        ("BANDS", ",".join(survey.bands), "order of the last image axis"),
        ("PIXSCALE", survey.pixel_scale, "[arcsec] side of a pixel"),
        ("BUNIT", survey.image_unit, "unit of a pixel value"),
        ("ORIGIN", origin, "simulated or stacked"),
        *([] if survey == SDSS else [("SURVDESC", json.dumps(survey_to_dict(survey)), "")]),
        *header,
    ]
    image = fits.ImageHDU(np.ascontiguousarray(images, np.float32), name="IMAGE")
    catalog = fits.BinTableHDU(table, name="CATALOG")
    with write_whole(path) as part:
        fits.HDUList([primary_hdu(cards), image, catalog]).writeto(part, overwrite=True, checksum=True)


def find_shards(folder):
    """Paths of the shards in a folder, in order.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or holds none, or lacks shards of a catalogue that was stacked in parts.
    """
    paths = sorted(Path(folder).glob("stacks-*.fits"), key=lambda path: (len(path.name), path.name))
    if not paths:
        raise FileNotFoundError(
            f"{folder}: no stacks-*.fits in it; create them with `photoz simulate` or `photoz stack`"
        )
    try:
        n_shards = int(fits.getheader(paths[-1]).get("NSHARDS", 0))  # of stacks
    except (OSError, ValueError, TypeError, KeyError, fits.VerifyError):
        n_shards = 0  # whoever reads it will name it
    missing = [path for path in (shard_path(folder, i) for i in range(n_shards)) if path not in paths]
    if missing:
        raise FileNotFoundError(
            f"{folder}: {len(missing)} of {n_shards} shards are missing, the first is {missing[0].name}; stack the "
            "other parts of the catalogue, or all that is left, with `photoz stack`"
        )
    return paths


def survey_of_folder(folder):
    """Survey of the first shard in a folder; errors are those of `find_shards` and `read_catalog`."""
    path = find_shards(folder)[0]
    return survey_of(path, read_catalog(path)[1])


def read_catalog(path):
    """Read and check the table and primary header of one shard; no pixel is read.

    Raises
    ------
    ValueError
        If the file is truncated, is not a shard, or its shapes contradict its survey.
    """
    with open_fits(path, "a shard of stacks") as hdus:
        return _checked_catalog(path, hdus)


def read_shard(path, rows=None, with_checksum=True):
    """Read and check the images, table and primary header of one shard.

    Parameters
    ----------
    path : path-like
    rows : ndarray of int, optional
        Rows to read; all by default.
    with_checksum : bool
        Whether to compare the whole file with its checksum (0.3 s for 1,000 galaxies), which finds any bit that
        changed since it was written. A file without one passes.

    Returns
    -------
    images : ndarray, shape (n, size, size, n_bands), float32
    table : Table
    header : Header

    Raises
    ------
    ValueError
        If the file is truncated, is not a shard, its shapes contradict its survey, or a stack that is not flagged
        has a pixel that is not finite.
    """
    with open_fits(path, "a shard of stacks", with_checksum=with_checksum) as hdus:
        table, header = _checked_catalog(path, hdus)
        rows = np.arange(len(table)) if rows is None else rows
        images = np.asarray(hdus["IMAGE"].data[rows], np.float32)
    table = table[rows]
    good = table["flag"] == 0
    check_finite(images[good], table["obj_id"][good], survey_of(path, header), path)
    return images, table, header


def survey_of(path, header):
    """Survey of a shard with this primary header.

    Parameters
    ----------
    path : path-like
        Named in errors.
    header : Header

    Returns
    -------
    Survey

    Raises
    ------
    ValueError
        If its description is damaged or contradicts SURVEY, or there is none and this version knows no such survey.
    """
    try:
        if "SURVDESC" not in header:
            if header["SURVEY"] not in SURVEYS:  # a path there is nothing that a file may have read
                raise ValueError(f"unknown survey {header['SURVEY']!r}, and no SURVDESC in its header describes it")
            return SURVEYS[header["SURVEY"]]
        survey = survey_from_dict(json.loads(str(header["SURVDESC"])), "SURVDESC")
        if survey.name != header["SURVEY"]:
            raise ValueError(f"SURVDESC describes {survey.name}, SURVEY is {header['SURVEY']}")
        return survey
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}; make the stacks again") from error


def _checked_catalog(path, hdus):
    """Table and primary header of an open shard."""
    header = hdus[0].header
    require_cards(path, header, ("SURVEY", "BANDS", "ORIGIN", "PIXSCALE", "BUNIT"), "a shard of stacks")
    survey = survey_of(path, header)
    if header["BANDS"] != ",".join(survey.bands):
        raise ValueError(f"{path}: bands are {header['BANDS']}, {survey.name} needs {','.join(survey.bands)} in order")
    values = {"PIXSCALE": survey.pixel_scale, "BUNIT": survey.image_unit}
    require_cards(path, header, values, "a shard of stacks", values, f"{survey.name} stacks")
    if header["ORIGIN"] not in ("simulated", "stacked"):
        raise ValueError(f"{path}: ORIGIN is {header['ORIGIN']}, not simulated or stacked; make the stacks again")
    table = read_table(path, hdus["CATALOG"], REQUIRED_COLUMNS, "make the stacks again")
    if hdus["IMAGE"].shape != (len(table), *survey.image_shape):
        raise ValueError(
            f"{path}: image cube has shape {hdus['IMAGE'].shape}, {survey.name} stacks of its {len(table)} galaxies "
            f"need {(len(table), *survey.image_shape)}; make them again"
        )
    return table, header


def check_finite(images, obj_id, survey, source):
    """Raise a ValueError that names the first galaxy, band and count of non-finite pixels."""
    bad = ~np.isfinite(images)
    if not bad.any():
        return
    galaxy = int(np.argmax(bad.any(axis=(1, 2, 3))))
    counts = bad[galaxy].sum(axis=(0, 1))
    band = int(np.argmax(counts))
    raise ValueError(
        f"{source}: galaxy {obj_id[galaxy]} has {counts[band]} pixels in band {survey.bands[band]} that are not "
        f"finite ({bad.any(axis=(1, 2, 3)).sum()} galaxies in all); make its stack again or set its flag to 1"
    )
