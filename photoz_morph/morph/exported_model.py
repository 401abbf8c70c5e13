"""Exported morphology models: check mocks against one and classify them."""

from pathlib import Path

import numpy as np
from astropy.table import Table, vstack
from tqdm import tqdm

from photoz_morph.metrics.classification import predicted_class
from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.models.saved_model import load_saved_model, model_hash, read_description
from photoz_morph.shards.mocks import read_mock_catalog, read_mock_shard
from photoz_morph.surveys import LSST
from photoz_morph.system.provenance import check_images, code_version, described_facts, header_facts

FACTS = ("binning", "pixscale")  # of the training mocks; new stamps must have the same


class ExportedMorphModel:
    """An exported classifier, loaded with its description.

    Parameters
    ----------
    folder : path-like
        Written by `export_morph`.

    Raises
    ------
    FileNotFoundError
        If `folder` holds no exported model.
    ValueError
        If the model is damaged or is not one of `morph export`.
    """

    def __init__(self, folder):
        self.folder, path = Path(folder), Path(folder) / "estimator.json"
        self.description = read_description(folder, "morph")
        if self.description.get("task") != "morph":
            raise ValueError(f"{path}: not a morphology model; give the folder of a `morph export`")
        missing = [key for key in ("survey", "bands", "classes", "image_unit", "mocks") if key not in self.description]
        if missing:
            raise ValueError(f"{path}: {', '.join(missing)} missing; export the model again")
        self.classes = tuple(self.description["classes"])
        self._model = load_saved_model(folder)
        self.model_id = self.description.get("model_id") or model_hash(folder)  # older exports do not say
        self.trained_on = described_facts(self.description)

    def provenance(self):
        """Keys of the model for the header of what it predicts; see `system.provenance`."""
        return {
            "code": code_version(), "model_id": self.model_id, "data_id": self.description.get("data_id") or "",
            **{key: self.trained_on[key] for key in ("survey", "bands", "unit")},
        }  # fmt: skip

    def predict(self, image, source="stamps", years=10):
        """Predict class probabilities and latents of stamps.

        Parameters
        ----------
        image : ndarray, shape (n, 100, 100, 3)
            [image unit of the model]
        source : str
            Name of the stamps in error messages.
        years : int
            Depth; used by models with a scaling for each depth.

        Returns
        -------
        dict of str to ndarray
            `probability`, shape (n, n_classes), and `latent`, shape (n, n_latent).

        Raises
        ------
        ValueError
            If the stamps have the wrong shape or a pixel is not finite.
        """
        image = np.asarray(image, np.float32)
        if image.ndim == 4 and image.shape[1] == len(LSST.bands) != image.shape[3]:
            raise ValueError(f"{source}: stamps of shape {image.shape} have their bands first; move that axis last")
        if image.ndim != 4 or image.shape[1:] != LSST.image_shape:
            shape = ", ".join(map(str, LSST.image_shape))
            raise ValueError(
                f"{source}: stamps of shape {image.shape}; {self.folder} takes (n, {shape}) in bands "
                f"{','.join(self.description['bands'])}"
            )
        bad = ~np.isfinite(image).all(axis=(1, 2, 3))
        if bad.any():
            raise ValueError(
                f"{source}: stamp {np.argmax(bad)} has non-finite pixels ({bad.sum()} such stamps in total)"
            )
        serve = self._model.serve_y1 if years == 1 and hasattr(self._model, "serve_y1") else self._model.serve
        batches = [serve(image[start : start + BATCH_SIZE]) for start in range(0, len(image), BATCH_SIZE)]
        return {name: np.concatenate([batch[name].numpy() for batch in batches]) for name in ("probability", "latent")}


def infer_mocks(model, paths, years, progress=True):
    """Classify the stamps of mock shards.

    Parameters
    ----------
    model : ExportedMorphModel
    paths : list of path-like
        Shards.
    years : int
        Depth of the stamps to classify.
    progress : bool

    Returns
    -------
    Table
        `obj_id`, `group_id`, `class` ("" where the network gives no probabilities), `probability`, shape
        (n, n_classes), and `latent`.

    Raises
    ------
    ValueError
        If a shard is damaged, lacks the depth, or has another survey, unit, binning or pixel size than the model.
    """
    for path in paths:
        _check_settings(model, path, years)
    tables = []
    for path in tqdm(paths, desc="infer", unit=" shards", disable=not progress):
        images, catalog, _ = read_mock_shard(path, years=(years,))
        outputs = model.predict(images[years], path, years)
        table = Table({name: catalog[name] for name in ("obj_id", "group_id")})
        table["class"] = np.array([*model.classes, ""])[predicted_class(outputs["probability"])]
        for name, values in outputs.items():
            table[name] = values
        tables.append(table)
    table = vstack(tables, metadata_conflicts="silent")
    table.meta = {"model": model.description["model"], "classes": ",".join(model.classes), "years": years}
    table.meta |= model.provenance()
    return table


def _check_settings(model, path, years):
    """Raise a ValueError unless a shard has the survey, unit and settings of the training mocks."""
    _, header = read_mock_catalog(path)
    check_images(model.trained_on, header_facts(header), path, model.folder)
    if str(years) not in header["YEARS"].split(","):
        raise ValueError(f"{path}: holds depths {header['YEARS']}, not {years}; give one of these as --years")
    for name in FACTS:
        expected, found = model.description["mocks"].get(name), header[name.upper()]
        if expected is not None and expected != found:
            raise ValueError(
                f"{path}: {name.upper()} is {found}, {model.folder} was trained on {expected}; mock again with it"
            )
