"""Predicted maps, fields and parameters in one FITS file, whatever predicted them.

The HDU `ANSWERS` has one row per image: `obj_id`, `group_id`, and of parameters `mean` and `sigma`, shape
(n_parameters,), of a Gaussian posterior of each. Maps and fields are in the HDU `MAPS`, float32, shape (n, size, size,
n_maps), NaN where nothing was asked. What they are is `answer` in the header, their names `names`, with commas between.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import open_fits
from photoz_morph.system.provenance import code_version
from photoz_morph.system.tables import table_of, write_fits

HDU = "ANSWERS"
REQUIRED_META = ("answer", "names", "dataset", "origin", "model", "split")
REMEDY = "predict again"


@dataclass(frozen=True)
class MapPredictions:
    """Answers for some images.

    Attributes
    ----------
    table : Table
        One row per image; `REQUIRED_META` in its meta.
    maps : ndarray, shape (n, size, size, n_maps), float32, or None
        Of the answers `maps` and `field`.
    """

    table: Table
    maps: np.ndarray | None = None

    @property
    def answer(self):
        """`maps`, `field` or `parameters`."""
        return self.table.meta["answer"]

    @property
    def posterior(self):
        """Means and logarithms of standard deviations of parameters, shape (n, n_parameters, 2)."""
        mean, sigma = (np.asarray(self.table[name], float) for name in ("mean", "sigma"))
        return np.stack([mean, np.log(sigma)], axis=-1)


def map_predictions(truth, values, meta):
    """Assemble the predictions of images.

    Parameters
    ----------
    truth : Truth
        Of the same images, in the same order.
    values : ndarray
        Maps or fields as `truth.values`; or posteriors of parameters, shape (n, n_parameters, 2): means and logarithms
        of standard deviations.
    meta : dict
        `REQUIRED_META` but `answer` and `names`, and further facts.

    Returns
    -------
    MapPredictions
    """
    columns = {"obj_id": np.asarray(truth.obj_id, np.int64), "group_id": np.asarray(truth.group_id, np.int64)}
    maps = None
    if truth.answer == "parameters":
        columns |= {"mean": values[..., 0].astype(float), "sigma": np.exp(values[..., 1].astype(float))}
    else:
        maps = np.asarray(values, np.float32)
    facts = {"answer": truth.answer, "names": ",".join(truth.names), **meta, "code": code_version()}
    found = MapPredictions(Table(columns, meta=facts), maps)
    _check(found, "predictions")
    return found


def write_map_predictions(predictions, path):
    """Write predictions as FITS with checksums, to a temporary name that is then renamed; `path` ends in .fits."""
    if Path(path).suffix != ".fits":
        raise ValueError(f"{path}: predictions are written as .fits, not {Path(path).suffix!r}")
    _check(predictions, path)
    hdus = [] if predictions.maps is None else [fits.ImageHDU(predictions.maps, name="MAPS")]
    with write_whole(path) as part:
        write_fits(predictions.table, part, HDU, image_hdus=hdus, with_checksum=True)


def read_map_predictions(path):
    """Read and check predictions from `write_map_predictions`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or holds no such predictions.
    """
    with open_fits(path, "maps, fields or parameters of `blend predict`", REMEDY, with_checksum=True) as hdus:
        maps = np.array(hdus["MAPS"].data, np.float32) if "MAPS" in hdus else None
        found = MapPredictions(table_of(hdus[HDU]), maps)
    _check(found, path)
    return found


def answer_of(path):
    """Answer of the predictions in a FITS file, None if they are of sources or deblended galaxies."""
    with open_fits(path, "predictions of `blend`", REMEDY) as hdus:
        return hdus[HDU].header.get("ANSWER") if HDU in hdus else None


def _check(predictions, path):
    """Raise a ValueError that begins with `path` if something is missing or not finite."""
    table, maps = predictions.table, predictions.maps
    missing = [key for key in REQUIRED_META if key not in table.meta]
    columns = ("obj_id", "group_id", *(("mean", "sigma") if table.meta.get("answer") == "parameters" else ()))
    missing += [name for name in columns if name not in table.colnames]
    if missing:
        raise ValueError(f"{path}: no predictions of maps or parameters, it lacks {', '.join(missing)}; {REMEDY}")
    n_names = len(table.meta["names"].split(","))
    if predictions.answer == "parameters":
        bad = ~(np.isfinite(table["mean"]) & (np.asarray(table["sigma"]) > 0) & np.isfinite(table["sigma"]))
        if bad.any():
            raise ValueError(f"{path}: {bad.sum()} parameters have no finite mean and error; {REMEDY}")
    elif maps is None or maps.ndim != 4 or maps.shape[0] != len(table) or maps.shape[-1] != n_names:
        shape = None if maps is None else maps.shape
        raise ValueError(f"{path}: maps have shape {shape}, {len(table)} images need {n_names} maps each; {REMEDY}")
