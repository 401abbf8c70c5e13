"""Exported morphology models: check mocks against one and classify them."""

import numpy as np
from astropy.table import Table, vstack
from tqdm import tqdm

from photoz_morph.metrics.classification import predicted_class
from photoz_morph.models.exports.described_model import DescribedModel
from photoz_morph.models.loading import BATCH_SIZE
from photoz_morph.shards.mocks import read_mock_catalog, read_mock_shard
from photoz_morph.surveys import LSST
from photoz_morph.system.columns import plain_columns
from photoz_morph.system.provenance import check_images, header_facts

KEPT = ("obj_id", "group_id", "copy", "ra", "dec")  # columns of the input in the table of classes
NEEDED = ("survey", "bands", "classes", "image_unit", "mocks")  # keys of `estimator.json`
FACTS = ("binning", "pixscale")  # of the training mocks; new stamps must have the same


class ExportedMorphModel(DescribedModel):
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
        super().__init__(folder, "morph", NEEDED)

    def _understand(self):
        self.classes = tuple(self.description["classes"])

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
        batches = [serve(image[start : start + BATCH_SIZE]) for start in range(0, max(len(image), 1), BATCH_SIZE)]
        return {name: np.concatenate([batch[name].numpy() for batch in batches]) for name in ("probability", "latent")}


    def classify(self, images, table, years=10, source="stamps"):
        """Classify stamps; one that is flagged or not finite keeps its row, without a class and with the reason.

        Parameters
        ----------
        images : ndarray, shape (n, 100, 100, 3)
            [image unit of the model]
        table : Table
            One row per stamp, with `obj_id` and `group_id`; where it has a `flag`, 1 is a stamp without pixels.
        years : int
            Depth of the stamps.
        source : str
            Named in errors.

        Returns
        -------
        Table
            `obj_id`, `group_id` and, where known, `copy`, `ra` and `dec`; `flag` and `flag_reason`; `class`, "" where
            there is none; `probability`, shape (n, n_classes), and `latent`.
        """
        reasons = _reasons(images, table)
        good = reasons == ""
        outputs = self.predict(images[good], source, years)
        found = plain_columns(Table({name: table[name] for name in KEPT if name in table.colnames}))
        found.meta = {"model": self.description["model"], "classes": ",".join(self.classes), "years": years}
        found.meta |= self.provenance()
        values = {name: _spread(part, good) for name, part in outputs.items()}
        reasons[good & np.isnan(values["probability"][:, 0])] = "the network gives no finite probabilities"
        found["flag"], found["flag_reason"] = (reasons != "").astype(np.int16), reasons.astype(str)
        found["class"] = np.array([*self.classes, ""])[predicted_class(values["probability"])]
        for name, part in values.items():
            found[name] = part
        return found


def _reasons(images, table):
    """Why each stamp cannot be classified, "" where it can; an array of objects."""
    flagged = np.asarray(table["flag"]) != 0 if "flag" in table.colnames else np.zeros(len(table), bool)
    reasons = np.full(len(table), "", object)
    for row in np.flatnonzero(flagged):
        said = str(table["flag_reason"][row]) if "flag_reason" in table.colnames else ""
        reasons[row] = said or "flagged in the input"
    for row in np.flatnonzero(~flagged & ~np.isfinite(images).all(axis=(1, 2, 3))):
        reasons[row] = f"{np.sum(~np.isfinite(images[row]))} pixels are not finite"
    return reasons


def _spread(values, good):
    """Values of the good rows in an array of all rows, NaN elsewhere."""
    spread = np.full((len(good), *values.shape[1:]), np.nan, values.dtype)
    spread[good] = values
    return spread


def infer_mocks(model, paths, years, progress=True):
    """Classify the stamps of mock shards, in memory; `morph.infer` does so one shard at a time.

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
        As from `ExportedMorphModel.classify`.

    Raises
    ------
    ValueError
        If a shard is damaged, lacks the depth, or has another survey, unit, binning or pixel size than the model.
    """
    for path in paths:
        check_mock_shard(model, path, years)
    tables = []
    for path in tqdm(paths, desc="infer", unit=" shards", disable=not progress):
        images, catalog, _ = read_mock_shard(path, years=(years,))
        tables.append(model.classify(images[years], catalog[["obj_id", "group_id"]], years, path))
    return vstack(tables, metadata_conflicts="silent")


def check_mock_shard(model, path, years):
    """Raise a ValueError unless a shard has a depth, and the survey, unit and settings of the training mocks."""
    _, header = read_mock_catalog(path)
    if str(years) not in header["YEARS"].split(","):
        check_facts(model, path, {"SURVEY": header["SURVEY"]})
        raise ValueError(f"{path}: holds depths {header['YEARS']}, not {years}; give one of these as --years")
    check_facts(model, path, header)


def check_facts(model, source, facts):
    """Raise a ValueError unless stamps have the survey, unit and settings of the training mocks.

    Parameters
    ----------
    model : ExportedMorphModel
    source : path-like
        Of the stamps, named in errors.
    facts : dict or Header
        SURVEY, BANDS, BUNIT, BINNING and PIXSCALE, as far as they are known.
    """
    check_images(model.trained_on, header_facts(facts), source, model.folder)
    for name in FACTS:
        expected, found = model.description["mocks"].get(name), facts.get(name.upper())
        if None not in (expected, found) and expected != found:
            raise ValueError(
                f"{source}: {name.upper()} is {found}, {model.folder} was trained on {expected}; mock again with it"
            )
