"""Exported photo-z model: check stacks and predict their redshift PDFs."""

import numpy as np
from astropy.table import vstack
from tqdm import tqdm

from photoz_morph.models.exports.described_model import DescribedModel
from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.photoz.calibration.answers import predict_good
from photoz_morph.photoz.export import OUTPUTS
from photoz_morph.photoz.predictions import CALIBRATED, predictions_table
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.shards.stacks import check_finite, find_shards, read_catalog, read_shard, survey_of
from photoz_morph.surveys import SURVEYS, survey_from_dict
from photoz_morph.system.provenance import check_engine, check_images, header_facts, joined_facts


class ExportedModel(DescribedModel):
    """An exported model that checks its input.

    Parameters
    ----------
    folder : path-like
        From `export`.

    Raises
    ------
    FileNotFoundError
        If there is no exported model.
    ValueError
        If it is damaged, contradicts itself, or was exported before it described its survey and this version knows none
        of that name with these bands, scale, size and unit.
    """

    def __init__(self, folder):
        super().__init__(folder, "photoz")

    def _understand(self):
        described = self.folder / "estimator.json"
        try:
            self.survey = _survey_of(self.description)
            self.grid = RedshiftGrid(**self.description["redshift"])
            stated = tuple(self.description[key] for key in ("bands", "pixel_scale_arcsec", "image_size", "image_unit"))
            self.description["model"], self.description["n_members"]
            self.z_phot_bins = self.description.get("z_phot_bins", "midpoints")  # older exports do not say
            self.grid.positions(self.z_phot_bins)
            # Of a calibrated model, in the order of the columns; an older export has none.
            self.calibrated = [name for name in CALIBRATED if name in self.description.get("outputs", ())]
            self.observing = tuple(self.description.get("observing", ()))  # older exports are told nothing
        except (KeyError, TypeError, ValueError) as error:
            reason = f"no key {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"{described}: describes no exported model ({reason}); export the model again") from error
        facts = (list(self.survey.bands), self.survey.pixel_scale, self.survey.stamp_size, self.survey.image_unit)
        if facts != stated:
            raise ValueError(f"{described}: was exported for {stated}, but has {self.survey.name} as {facts}")

    def predict(self, image, ebv, source="stacks", conditions=None):
        """Predict stacks.

        Parameters
        ----------
        image : ndarray, shape (n, size, size, n_bands)
            [image unit of the survey]
        ebv : ndarray, shape (n,)
            E(B-V) [mag].
        source : str
            Named in errors.
        conditions : dict of str to ndarray, shape (n, n_bands), optional
            Observing conditions of those in `observing` that are known, from `gather_conditions`.

        Returns
        -------
        dict of str to ndarray
            `OUTPUTS`, and of a calibrated model the columns of `predictions.CALIBRATED` that it gives; NaN in all but
            `quality` for a galaxy whose PDF overflows to NaN.

        Raises
        ------
        ValueError
            If the stacks have another shape than the model takes, or a value is not finite.
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
        unknown = np.full((len(image), self.survey.n_bands), np.nan, np.float32)
        told = [np.asarray((conditions or {}).get(name, unknown), np.float32) for name in self.observing]
        parts = []
        for start in range(0, len(image), BATCH_SIZE):
            rows = slice(start, start + BATCH_SIZE)
            found = self._model.serve(image[rows], ebv[rows], *(values[rows] for values in told))
            parts.append({name: value.numpy() for name, value in found.items()})
            n_bins = parts[-1]["pdf"].shape[1]
            if n_bins != self.grid.n_bins:
                raise ValueError(
                    f"{self.folder / 'estimator.json'}: says {self.grid.n_bins} redshift bins, the SavedModel beside "
                    f"it gives {n_bins}; export the model again"
                )
        joined = {name: np.concatenate([part[name] for part in parts]) for name in (*OUTPUTS, *self.calibrated)}
        lost = ~np.isfinite(joined["pdf"]).all(axis=1)  # older exports then have the first bin as z_mode
        for values in joined.values():
            if values.dtype.kind == "f":
                values[lost] = np.nan
        return joined

    def predictions(self, image, table, origin, source="stacks", facts=None):
        """Predictions table of stacks and their catalogue; flagged rows stay in place, with NaN.

        Parameters
        ----------
        image : ndarray, shape (n, size, size, n_bands)
        table : Table
            With `flag`; see `shards`.
        origin : str
            "simulated" or "stacked".
        source : str
            Named in errors.
        facts : dict, optional
            `engine` and `combine` of the stacks, for the header.

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
        pdf, calibrated = predict_good(self, image, table, good, source)
        return predictions_table(
            table, pdf, self.grid, self.survey, origin, self.description["model"], self.description["n_members"],
            meta={"zphot_at": self.z_phot_bins, **self.provenance(facts)}, calibrated=calibrated,
        )  # fmt: skip

    def provenance(self, facts=None):
        """Keys of the model for the header of predictions, with the `engine` and `combine` of the predicted stacks."""
        engine = {key: facts[key] for key in ("engine", "combine") if (facts or {}).get(key)}
        calibration = self.description.get("calibration") or {}
        calib_id = {"calib_id": calibration["calib_id"]} if calibration.get("calib_id") else {}
        return {"model_id": self.model_id, "data_id": self.description.get("data_id") or "", **calib_id, **engine}


def _survey_of(description):
    """Survey that an `estimator.json` describes whole, or that this version knows by its name."""
    name = description["survey"]
    if "survey_description" not in description:  # exported by version 0.1
        if name not in SURVEYS:
            raise ValueError(f"unknown survey {name!r}")
        return SURVEYS[name]
    survey = survey_from_dict(description["survey_description"], "survey_description")
    if survey.name != name:
        raise ValueError(f"survey_description describes {survey.name}, survey is {name}")
    return survey


def load_exported_model(folder):
    """Load the exported model in a folder; see `ExportedModel`."""
    return ExportedModel(folder)


def infer_stacks(model, parts, origin, source="stacks", facts=None):
    """Predict stacks that are given in parts, in order.

    Parameters
    ----------
    model : ExportedModel
    parts : iterable of (images, table)
        From `stacking.stack.iter_stacks` or shards; one part at a time is in memory.
    origin : str
        "simulated" or "stacked".
    source : path-like
        Named in errors.
    facts : dict, optional
        `engine` and `combine` of the stacks, for the header.

    Returns
    -------
    Table
    """
    tables = [model.predictions(images, table, origin, source, facts) for images, table in parts]
    return vstack(tables, metadata_conflicts="silent") if len(tables) > 1 else tables[0]


def infer_shards(model, folder, progress=True, same_engine=False):
    """Predict a folder of shards.

    Parameters
    ----------
    model : ExportedModel
    folder : path-like
    progress : bool
    same_engine : bool
        Whether stacks of another engine or combination than the training data's are an error; see `check_images`.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If a shard is broken, its images differ from the training data's, or simulated and stacked shards are mixed.
    """
    paths = find_shards(folder)
    headers = [read_catalog(path)[1] for path in paths]
    facts = joined_facts(header_facts(header) for header in headers)
    for path, header in zip(paths, headers):
        check_images(model.trained_on, header_facts(header), path, model.folder)
        different = survey_of(path, header).difference(model.survey)
        if different:
            raise ValueError(
                f"{path}: stacks of {header['SURVEY']}, {model.folder} takes {model.survey.name} ({different})"
            )
    check_engine(model.trained_on, facts, folder, model.folder, same_engine)
    origins = {header["ORIGIN"] for header in headers}
    if len(origins) > 1:
        raise ValueError(f"{folder}: simulated and stacked shards in one folder; keep them apart")
    with tqdm(paths, desc="infer", unit=" shards", disable=not progress) as bar:
        return infer_stacks(model, (read_shard(path)[:2] for path in bar), origins.pop(), folder, facts)
