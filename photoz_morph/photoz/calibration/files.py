"""Calibration of a fold on disk: `RUN/fold_K/calibration.json`, and `calibration.npz` for its arrays.

The JSON file says which networks were calibrated, on how many galaxies, with which result; the arrays are those of the
latents and the cross-fitted PDFs of the validation galaxies. It is written last and names the hash of the other, so
that the two belong together. A calibration of other networks than those in the folder is refused.
"""

import io
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from photoz_morph.photoz.calibration.calibrator import Calibrator
from photoz_morph.photoz.calibration.conformal import conformal_radius
from photoz_morph.photoz.calibration.pit_map import PitMap
from photoz_morph.photoz.calibration.quality import LatentDistance, QualityLimits
from photoz_morph.photoz.calibration.redshift_distribution import reweighted
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.runs.folder import weights_hash
from photoz_morph.system.files import write_whole
from photoz_morph.system.json_files import read_json, write_atomically
from photoz_morph.system.provenance import file_hash, joint_hash

VERSION = 1  # of the files
CONTENT = ("weights", "redshift", "arrays", "calibrator", "quality", "training_counts")  # what results depend on


@dataclass(frozen=True)
class FoldCalibration:
    """Calibration of the networks of a fold.

    Attributes
    ----------
    calibrator : Calibrator
    quality : QualityLimits
    training_counts : ndarray, shape (n_bins,)
        Training galaxies in each redshift bin.
    cross_fitted : ndarray, shape (n, n_bins)
        PDFs of the validation galaxies, each calibrated by the others.
    z_spec : ndarray, shape (n,)
        Of the validation galaxies.
    facts : dict
        What it was fitted to, and the scores before and after.
    """

    calibrator: Calibrator
    quality: QualityLimits
    training_counts: np.ndarray
    cross_fitted: np.ndarray
    z_spec: np.ndarray
    facts: dict

    def of_target(self, weights, grid):
        """Calibrator with conformal intervals for PDFs re-weighted to another n(z).

        Parameters
        ----------
        weights : ndarray, shape (n_bins,)
            From `redshift_distribution.target_weights`.
        grid : RedshiftGrid
        """
        pit = grid.cdf_at(reweighted(self.cross_fitted, weights), self.z_spec)
        of_galaxy = weights[grid.bin_index(self.z_spec)]
        radii = {level: conformal_radius(pit, level, of_galaxy) for level in self.calibrator.radii}
        return replace(self.calibrator, radii=radii)


def calibration_file(run_dir, fold):
    """Path of the JSON file of a fold."""
    return Path(run_dir) / f"fold_{fold}" / "calibration.json"


def write_calibration(path, calibration, grid, members):
    """Write the calibration of a fold.

    Parameters
    ----------
    path : path-like
        From `calibration_file`.
    calibration : FoldCalibration
    grid : RedshiftGrid
    members : list of path-like
        The `model.keras` of its networks, in order.

    Returns
    -------
    str
        `calib_id`, 16 hexadecimal digits: the hash of all that its results depend on.

    Raises
    ------
    OSError
        With a message that names the file and the remedy.
    """
    path, calibrator, quality = Path(path), calibration.calibrator, calibration.quality
    arrays = {"cross_fitted": calibration.cross_fitted.astype(np.float32), "z_spec": calibration.z_spec}
    for index, distance in enumerate(quality.distances):
        for name in ("mean", "axes", "excess"):
            arrays[f"{name}_{index}"] = getattr(distance, name).astype(np.float32)
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    with write_whole(path.with_suffix(".npz")) as part:
        part.write_bytes(packed.getvalue())
    content = {
        "weights": [weights_hash(member) for member in members],
        "redshift": asdict(grid),
        "arrays": file_hash(path.with_suffix(".npz")),
        "calibrator": {
            "pooling": calibrator.pooling,
            "temperature": calibrator.temperature,
            "pit_map": asdict(calibrator.pit_map),
            "radii": [[level, radius] for level, radius in calibrator.radii.items()],
        },
        "quality": {
            "width": quality.width, "smoothing": quality.smoothing, "ood": quality.ood,
            "rest": [distance.rest for distance in quality.distances],
        },
        "training_counts": [int(count) for count in calibration.training_counts],
    }  # fmt: skip
    content = {"version": VERSION, "calib_id": _identifier(content), **content, "facts": calibration.facts}
    write_atomically(path, json.dumps(content, indent=1))
    return content["calib_id"]


def read_calibration(run_dir, fold, members, grid):
    """Calibration of the networks of a fold.

    Parameters
    ----------
    run_dir : path-like
    fold : int
    members : list of path-like
        The `model.keras` of the networks in the folder, in order.
    grid : RedshiftGrid

    Returns
    -------
    FoldCalibration
        `calib_id` is among its facts.

    Raises
    ------
    FileNotFoundError
        If the fold is not calibrated.
    ValueError
        If the files are damaged, do not belong together, or are of other networks than those given.
    """
    path = calibration_file(run_dir, fold)
    remedy = f"run `photoz calibrate {run_dir}` again, or give --uncalibrated"
    content = read_json(path, ("version", "calib_id", *CONTENT, "facts"), remedy)
    if content["version"] != VERSION:
        raise ValueError(f"{path}: version {content['version']}, this code reads {VERSION}; {remedy}")
    if content["calib_id"] != _identifier(content):
        raise ValueError(f"{path}: is not as it was written, its content has another hash; {remedy}")
    weights = [weights_hash(member) for member in members]
    if content["weights"] != weights:
        found = len(content["weights"])
        which = "of other weights" if found == len(weights) else f"where the fold has {len(weights)}"
        raise ValueError(f"{path}: was fitted to {found} networks {which}; {remedy}")
    try:
        if RedshiftGrid(**content["redshift"]) != grid:
            raise ValueError(f"is of redshift bins {content['redshift']}, the run has {asdict(grid)}")
        return _of_content(content, path.with_suffix(".npz"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: does not fit ({' '.join(str(error).split())}); {remedy}") from error


def _identifier(content):
    """Hash of the entries that results depend on."""
    return joint_hash([json.dumps({name: content[name] for name in CONTENT})])


def _of_content(content, arrays_path):
    """Calibration of the content of both files."""
    if file_hash(arrays_path) != content["arrays"]:
        raise ValueError(f"{arrays_path.name} is another file")
    with np.load(arrays_path, allow_pickle=False) as stored:
        arrays = {name: np.asarray(stored[name], float) for name in stored.files}
    said, limits = content["calibrator"], content["quality"]
    pit_map = PitMap(**{name: _tuples(value) for name, value in said["pit_map"].items()})
    distances = tuple(
        LatentDistance(arrays[f"mean_{index}"], arrays[f"axes_{index}"], arrays[f"excess_{index}"], float(rest))
        for index, rest in enumerate(limits["rest"])
    )
    radii = {float(level): float(radius) for level, radius in said["radii"]}
    return FoldCalibration(
        Calibrator(said["pooling"], float(said["temperature"]), pit_map, radii),
        QualityLimits(*(float(limits[name]) for name in ("width", "smoothing", "ood")), distances),
        np.asarray(content["training_counts"], float),
        arrays["cross_fitted"],
        arrays["z_spec"],
        {**content["facts"], "calib_id": content["calib_id"]},
    )


def _tuples(value):
    """Lists of lists as tuples of tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def run_calibrations(run_dir, members, grid):
    """Calibrations of all folds of a run, or none.

    Parameters
    ----------
    run_dir : path-like
    members : dict of int to list of Path
        From `runs.folder.finished_members`.
    grid : RedshiftGrid

    Returns
    -------
    dict of int to FoldCalibration
        Empty if no fold is calibrated.

    Raises
    ------
    ValueError
        If some folds are calibrated and others are not, or a calibration is refused by `read_calibration`.
    """
    missing = [fold for fold in members if not calibration_file(run_dir, fold).exists()]
    if len(missing) == len(members):
        return {}
    if missing:
        raise ValueError(
            f"{run_dir}: fold {', '.join(map(str, missing))} of {len(members)} is not calibrated; run "
            f"`photoz calibrate {run_dir}` again, or give --uncalibrated"
        )
    return {fold: read_calibration(run_dir, fold, paths, grid) for fold, paths in members.items()}
