"""The exported model: one SavedModel for an ensemble, what it says of new galaxies, and what it refuses.

`export` writes it, with the ensemble mean, all scaling and the point estimates inside and an `estimator.json` beside
it; any program that has TensorFlow can run it. `load_estimator` reads it back and checks what it is given.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from astropy.table import vstack
from keras import ops
from tqdm import tqdm

from photoz_morph.inference import load_ensemble
from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.models.saved_model import load_saved_model, read_description, write_saved_model
from photoz_morph.photoz_config import PhotozConfig
from photoz_morph.predictions import predictions_table
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.runs.folder import finished_members, read_run
from photoz_morph.runs.progress import read_sessions
from photoz_morph.shards.stacks import check_finite, find_shards, read_catalog, read_shard
from photoz_morph.surveys import get_survey

OUTPUTS = ("pdf", "z_phot", "z_median", "z_mode", "z_lower", "z_upper")


def export(run_dir, out_dir, fold=0):
    """One SavedModel of a fold's ensemble, with all scaling inside, and its `estimator.json`.

    Parameters
    ----------
    run_dir, out_dir : path-like
    fold : int
        The members of this fold are exported; its galaxies are the ones they have not seen.

    Returns
    -------
    dict
        What `estimator.json` holds.

    Raises
    ------
    ValueError
        If the fold has no finished member or fewer than were asked for, or the folder exists.
    """
    config, dataset = read_run(run_dir, PhotozConfig)
    members = finished_members(run_dir, PhotozConfig)
    if fold not in members:
        raise ValueError(f"{run_dir}: fold {fold} has no finished network; finished are folds {sorted(members)}")
    asked = [session["n_members"] for session in read_sessions(run_dir)[-1:]]
    if asked and len(members[fold]) < asked[0]:
        raise ValueError(
            f"{run_dir}: fold {fold} has {len(members[fold])} finished networks of {asked[0]}; finish it with the same "
            "`photoz train`"
        )
    facts = {
        "model": config.model.name,
        "with_ebv": config.model.with_ebv,
        "photometric_inputs": config.model.photometric_inputs,
        "n_members": len(members[fold]),
        "fold": fold,
        "trained_on": {key: dataset[key] for key in ("name", "origin", "galaxies_per_fold")},
    }
    return export_network(
        load_ensemble(members[fold]), get_survey(config.survey), config.redshift, out_dir, facts
    )


def export_network(network, survey, grid, out_dir, facts, z_phot_bins="midpoints"):
    """One SavedModel of a network, with its point estimates inside, and its `estimator.json`.

    Parameters
    ----------
    network : keras.Model
        {"image", "ebv"} to a PDF on the grid.
    survey : Survey
    grid : RedshiftGrid
    out_dir : path-like
        Must not exist.
    facts : dict
        For `estimator.json`: at least "model", "n_members" and "trained_on" with its "name" and "origin".
    z_phot_bins : {"midpoints", "left-edges"}
        Over what z_phot is a mean; see `RedshiftGrid.positions`.

    Returns
    -------
    dict
        What `estimator.json` holds.

    Raises
    ------
    ValueError
        If the folder exists.
    """
    description = {
        "survey": survey.name,
        "bands": survey.bands,
        "pixel_scale_arcsec": survey.pixel_scale,
        "image_size": survey.stamp_size,
        "image_unit": survey.image_unit,
        "ebv_unit": "mag",
        "redshift": {"z_min": grid.z_min, "z_max": grid.z_max, "n_bins": grid.n_bins},
        "z_phot_bins": z_phot_bins,
        "outputs": OUTPUTS,
        **facts,
    }
    signature = [
        tf.TensorSpec((None, *survey.image_shape), tf.float32, name="image"),
        tf.TensorSpec((None,), tf.float32, name="ebv"),
    ]

    def serve(image, ebv):
        return point_estimates(network({"image": image, "ebv": ebv}), grid, z_phot_bins)

    write_saved_model(out_dir, {"serve": (serve, signature)}, description)
    return description


def point_estimates(pdf, grid, z_phot_bins="midpoints"):
    """What a binned PDF says, as tensors; the same definitions as `RedshiftGrid`.

    Parameters
    ----------
    pdf : tensor, shape (n, n_bins)
    grid : RedshiftGrid
    z_phot_bins : {"midpoints", "left-edges"}

    Returns
    -------
    dict of str to tensor
        `OUTPUTS`; all but `pdf` have shape (n,). The bounds enclose 68 % and leave 16 % on each side.
    """
    midpoints, positions = (
        ops.convert_to_tensor(redshifts, "float32") for redshifts in (grid.midpoints, grid.positions(z_phot_bins))
    )
    cdf = ops.cumsum(pdf, axis=-1)
    cdf = cdf / cdf[:, -1:]
    return {
        "pdf": pdf,
        "z_phot": ops.sum(pdf * positions, axis=-1),
        "z_median": _quantile(pdf, cdf, grid, 0.5),
        "z_mode": ops.take(midpoints, ops.argmax(pdf, axis=-1)),
        "z_lower": _quantile(pdf, cdf, grid, 0.16),
        "z_upper": _quantile(pdf, cdf, grid, 0.84),
    }


def _quantile(pdf, cdf, grid, probability):
    """Redshift below which each PDF holds `probability`: linear inside a bin."""
    index = ops.minimum(ops.sum(ops.cast(cdf < probability, "int32"), axis=-1), grid.n_bins - 1)
    above = ops.take_along_axis(cdf, index[:, None], axis=-1)[:, 0]
    inside = ops.take_along_axis(pdf, index[:, None], axis=-1)[:, 0]
    step = (probability - (above - inside)) / ops.maximum(inside, keras.config.epsilon() ** 2)
    return grid.z_min + grid.width * (ops.cast(index, "float32") + ops.clip(step, 0.0, 1.0))


class Estimator:
    """An exported model and what it accepts."""

    def __init__(self, folder):
        self.folder, described = Path(folder), Path(folder) / "estimator.json"
        self.description = read_description(folder, "photoz")
        try:
            self.survey = get_survey(self.description["survey"])
            self.grid = RedshiftGrid(**self.description["redshift"])
            stated = tuple(self.description[key] for key in ("bands", "pixel_scale_arcsec", "image_size", "image_unit"))
            self.description["model"], self.description["n_members"]
            self.z_phot_bins = self.description.get("z_phot_bins", "midpoints")  # older exports do not say
            self.grid.positions(self.z_phot_bins)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"no key {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"{described}: describes no exported model ({reason}); export the model again") from error
        facts = (list(self.survey.bands), self.survey.pixel_scale, self.survey.stamp_size, self.survey.image_unit)
        if facts != stated:
            raise ValueError(f"{described}: was exported for {stated}, this version has {self.survey.name} as {facts}")
        self._model = load_saved_model(folder)

    def predict(self, image, ebv, source="stacks"):
        """Predictions of stacks.

        Parameters
        ----------
        image : ndarray, shape (n, size, size, n_bands)
            [image unit of the survey]
        ebv : ndarray, shape (n,)
            E(B-V) [mag].
        source : str
            Named in errors.

        Returns
        -------
        dict of str to ndarray
            `OUTPUTS`.

        Raises
        ------
        ValueError
            If the stacks are not of the shape the model was trained for, or a value is not finite.
        """
        image, ebv = np.asarray(image, np.float32), np.asarray(ebv, np.float32)
        if image.ndim != 4 or image.shape[1:] != self.survey.image_shape or ebv.shape != (len(image),):
            raise ValueError(
                f"{source}: stacks of shape {image.shape} with E(B-V) of shape {ebv.shape}; {self.folder} takes "
                f"(n, {', '.join(map(str, self.survey.image_shape))}) in bands {','.join(self.survey.bands)} and (n,)"
            )
        check_finite(image, np.arange(len(image)), self.survey, source)
        if not np.isfinite(ebv).all():
            raise ValueError(f"{source}: E(B-V) of row {np.argmin(np.isfinite(ebv))} is not finite; give it a value")
        parts = []
        for start in range(0, len(image), BATCH_SIZE):
            rows = slice(start, start + BATCH_SIZE)
            parts.append({name: value.numpy() for name, value in self._model.serve(image[rows], ebv[rows]).items()})
            n_bins = parts[-1]["pdf"].shape[1]
            if n_bins != self.grid.n_bins:
                raise ValueError(
                    f"{self.folder / 'estimator.json'}: says {self.grid.n_bins} redshift bins, the SavedModel beside "
                    f"it gives {n_bins}; export the model again"
                )
        return {name: np.concatenate([part[name] for part in parts]) for name in OUTPUTS}

    def predictions(self, image, table, origin, source="stacks"):
        """Predictions table of stacks and their catalogue; flagged rows keep their place, with NaN.

        Parameters
        ----------
        image : ndarray, shape (n, size, size, n_bands)
        table : Table
            With `flag`; see `shards`.
        origin : str
            "simulated" or "stacked".

        Returns
        -------
        Table
        """
        good = np.asarray(table["flag"]) == 0
        without = good & ~np.isfinite(np.asarray(table["ebv"], float))
        if without.any():
            raise ValueError(
                f"{source}: E(B-V) of galaxy {table['obj_id'][without][0]} is {table['ebv'][without][0]} "
                f"({without.sum()} such galaxies); give it a value in mag"
            )
        pdf = np.full((len(table), self.grid.n_bins), np.nan, np.float32)
        if good.any():
            pdf[good] = self.predict(image[good], np.asarray(table["ebv"])[good], source)["pdf"]
        return predictions_table(
            table, pdf, self.grid, self.survey, origin, self.description["model"], self.description["n_members"],
            meta={"z_phot_bins": self.z_phot_bins},
        )  # fmt: skip


def load_estimator(folder):
    """The exported model in a folder."""
    return Estimator(folder)


def infer_stacks(estimator, parts, origin, source="stacks"):
    """Predictions of stacks that come in parts, in their order.

    Parameters
    ----------
    estimator : Estimator
    parts : iterable of (images, table)
        From `stacking.iter_stacks` or shards; only one part's pixels are in memory at a time.
    origin : str
        "simulated" or "stacked".
    source : path-like
        Named in errors.

    Returns
    -------
    Table
    """
    tables = [estimator.predictions(images, table, origin, source) for images, table in parts]
    return vstack(tables, metadata_conflicts="silent") if len(tables) > 1 else tables[0]


def infer_shards(estimator, folder, progress=True):
    """Predictions of a folder of shards.

    Raises
    ------
    ValueError
        If a shard is broken, of another survey than the model, or simulated and stacked ones are mixed.
    """
    paths = find_shards(folder)
    headers = [read_catalog(path)[1] for path in paths]
    for path, header in zip(paths, headers):
        if header["SURVEY"] != estimator.survey.name:
            raise ValueError(f"{path}: stacks of {header['SURVEY']}, {estimator.folder} takes {estimator.survey.name}")
    origins = {header["ORIGIN"] for header in headers}
    if len(origins) > 1:
        raise ValueError(f"{folder}: simulated and stacked shards in one folder; keep them apart")
    with tqdm(paths, desc="infer", unit=" shards", disable=not progress) as bar:
        return infer_stacks(estimator, (read_shard(path)[:2] for path in bar), origins.pop(), folder)
