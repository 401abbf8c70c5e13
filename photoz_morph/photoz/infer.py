"""Streaming inference: the predictions of any number of galaxies, one partition of the images at a time.

The images come from an `ImageSource` (see `sources`), or are stacked from survey frames around the galaxies of a
catalogue (`CatalogSource`). While the network predicts one partition, the next is read or stacked. Each partition's
predictions are a file of the working folder as soon as they are computed (see `streaming.working_folder`): the memory
needed does not depend on the number of galaxies, and what was interrupted goes on after its last finished partition.
"""

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack
from tqdm import tqdm

from photoz_morph.catalogs.dust import EBV_SOURCE, open_dust
from photoz_morph.photoz.calibration.answers import predict_good
from photoz_morph.photoz.formats.hats import check_positions
from photoz_morph.photoz.predictions import predictions_table, rehearse_predictions, write_predictions_parts
from photoz_morph.streaming.working_folder import fill, joining, open_working_folder
from photoz_morph.system.provenance import (
    MODEL_FILES,
    check_engine,
    check_images,
    code_version,
    folder_hash,
    image_facts,
)

HEAD = 20  # galaxies of the summary


@dataclass(frozen=True)
class InferSummary:
    """Result of `infer_source`.

    Attributes
    ----------
    n_rows : int
        Galaxies of the source.
    n_flagged : int
        Of them, without a PDF; None if the output was not written.
    n_missing : int
        Partitions of other shares that are not there yet; 0 if the output was written.
    head : Table
        Predictions of the first galaxies, `HEAD` at most; None if the output was not written.
    """

    n_rows: int
    n_flagged: int
    n_missing: int
    head: Table


class CatalogReddening:
    """E(B-V) of a catalogue, looked up by obj_id.

    Parameters
    ----------
    catalog : Table
        With `obj_id` and `ebv` [mag], NaN where unknown.
    """

    def __init__(self, catalog):
        order = np.argsort(np.asarray(catalog["obj_id"]), kind="stable")
        self._obj_id = np.asarray(catalog["obj_id"])[order]
        self._ebv = np.asarray(catalog["ebv"], float)[order]

    @property
    def fingerprint(self):
        """Hash of the numbers."""
        return hashlib.sha256(self._obj_id.tobytes() + self._ebv.tobytes()).hexdigest()[:16]

    def of(self, obj_id):
        """E(B-V) of galaxies [mag], shape (n,); NaN where the catalogue has none."""
        obj_id = np.asarray(obj_id)
        if not len(self._obj_id):
            return np.full(len(obj_id), np.nan)
        rows = np.minimum(np.searchsorted(self._obj_id, obj_id), len(self._obj_id) - 1)
        return np.where(self._obj_id[rows] == obj_id, self._ebv[rows], np.nan)


def infer_partition(model, partition, origin, reddening=None, facts=None, dust="auto"):
    """Predict one partition of a source.

    Parameters
    ----------
    model : ExportedModel
    partition : Partition
        See `sources.source`; its images are read here.
    origin : str
        "simulated" or "stacked".
    reddening : CatalogReddening, optional
        E(B-V) that goes before that of the partition.
    facts : dict, optional
        `engine` and `combine` of the stacks, for the header.
    dust : str
        Dust map where E(B-V) is unknown, or from the shipped map; see `catalogs.dust.open_dust`.

    Returns
    -------
    Table
        As from `infer_images`.
    """
    images, table = partition.read()
    return infer_images(model, images, table, origin, partition.name, reddening, facts, dust)


def infer_images(model, images, table, origin, source="stacks", reddening=None, facts=None, dust="auto"):
    """Predict galaxies; one that cannot be predicted keeps its row, with NaN, flag 1 and the reason.

    Parameters
    ----------
    model : ExportedModel
    images : ndarray, shape (n, size, size, n_bands)
        [image unit of the survey]
    table : Table
        One row per galaxy, with `obj_id`. Where `ebv` is unknown, the map of `catalogs.dust` is used.
    origin : str
        "simulated" or "stacked".
    source : str
        Named in errors.
    reddening : CatalogReddening, optional
    facts : dict, optional
        `engine` and `combine` of the stacks, for the header.
    dust : str
        As for `infer_partition`.

    Returns
    -------
    Table
        From `predictions_table`, with `ebv_source` and `flag_reason` beside the columns of `table`.
    """
    table = _with_reddening(table, reddening, dust)
    reasons = _reasons(images, table, model.survey)
    good = reasons == ""
    pdf, calibrated = predict_good(model, images, table, good, source)
    reasons[good & np.isnan(pdf[:, 0])] = "the network gives no finite PDF"
    table["flag"] = (reasons != "").astype(np.int16)
    table["flag_reason"] = reasons.astype(str)
    return predictions_table(
        table, pdf, model.grid, model.survey, origin, model.description["model"], model.description["n_members"],
        meta={"zphot_at": model.z_phot_bins, **model.provenance(facts)}, calibrated=calibrated,
    )  # fmt: skip


def _with_reddening(table, reddening, dust):
    """Copy of a table with E(B-V) from a catalogue, the table or the dust map, in this order, and `ebv_source`."""
    table = table.copy(copy_data=False)
    columns = table.colnames
    ebv = np.array(table["ebv"], float) if "ebv" in columns else np.full(len(table), np.nan)
    source = np.array(table["ebv_source"] if "ebv_source" in columns else ["given"] * len(table), object)
    if reddening is not None:
        found = reddening.of(table["obj_id"])
        known = np.isfinite(found)
        ebv[known], source[known] = found[known], "catalogue"
    unknown = ~np.isfinite(ebv) | (source == EBV_SOURCE)  # formats without E(B-V) are read with the shipped map
    if unknown.any() and {"ra", "dec"} <= set(columns):
        ra, dec = (np.asarray(table[name], float) for name in ("ra", "dec"))
        unknown &= np.isfinite(ra) & (np.abs(dec) <= 90)
        map_ebv, name = open_dust(dust)
        ebv[unknown], source[unknown] = map_ebv(ra[unknown], dec[unknown]), name
    source[~np.isfinite(ebv)] = ""
    table["ebv"], table["ebv_source"] = ebv, source.astype(str)
    return table


def _reasons(images, table, survey):
    """Why each galaxy cannot be predicted, "" where it can; an array of objects."""
    reasons = np.full(len(table), "", object)
    if "flag_reason" in table.colnames:
        reasons[:] = [str(reason) for reason in table["flag_reason"]]
    flagged = np.asarray(table["flag"]) != 0 if "flag" in table.colnames else np.zeros(len(table), bool)
    reasons[~flagged] = ""
    reasons[flagged & (reasons == "")] = "flagged in the input"
    for row in np.flatnonzero(~flagged & ~np.isfinite(images).all(axis=(1, 2, 3))):
        counts = (~np.isfinite(images[row])).sum(axis=(0, 1))
        band = int(np.argmax(counts))
        reasons[row] = f"{counts[band]} pixels in band {survey.bands[band]} are not finite"
    unknown = ~np.isfinite(np.asarray(table["ebv"], float))
    reasons[unknown & (reasons == "")] = "no E(B-V), nor a position for the dust map"
    return reasons


def rehearse_source(source, out, model="", progress=True, calibrated=()):
    """Refuse before the work what could not be written after it; see `predictions.rehearse_predictions`.

    Parameters
    ----------
    source : ImageSource
        The tables of all its partitions are read; those whose columns are like the others' are not written again.
    out : path-like
    model : str
        Name of the network.
    progress : bool
    calibrated : iterable of str
        Columns of `predictions.CALIBRATED` that the model gives.

    Raises
    ------
    ValueError, OSError
        As from `rehearse_predictions`; also if a partition is damaged, or a column has vectors of other lengths in it.
    """
    seen, shapes = set(), {}
    for partition in tqdm(source.partitions, desc="check", unit=" partitions", disable=not progress):
        table = partition.read_table()
        if Path(out).suffix == ".hats":
            check_positions(table, out)
        for name in table.colnames:
            shape = shapes.setdefault(name, table[name].shape[1:])
            if shape != table[name].shape[1:]:
                raise ValueError(
                    f"{source.path}: column {name} has vectors of different lengths, {shape} and, in {partition.name}, "
                    f"{table[name].shape[1:]}; make them as long, or leave the column out"
                )
        likeness = tuple((name, table[name].dtype.kind, table[name].shape[1:]) for name in table.colnames)
        if likeness not in seen and len(table):
            seen.add(likeness)
            rehearse_predictions(table, out, source.path, model, calibrated)


def infer_source(
    model, source, out, settings=None, reddening=None, share=None, progress=True, fill_parts=fill, *,
    same_engine=False, dust="auto",
):  # fmt: skip
    """Predict all galaxies of a source and write the predictions, whose suffix gives the format.

    The caller owns the output, or the share of it; see `streaming.owners.owned`.

    Parameters
    ----------
    model : ExportedModel
    source : ImageSource or CatalogSource
    out : path-like
        As for `predictions.write_predictions`.
    settings : dict, optional
        What else the predictions depend on, beside the model and the source; partitions that an earlier run computed
        with others are refused.
    reddening : CatalogReddening, optional
        E(B-V) that goes before that of the source.
    share : (int, int), optional
        Number of this process's share of the partitions, from 1, and number of shares. The process that finds all
        partitions finished writes the output.
    progress : bool
    fill_parts : callable
        Computes and writes the parts: `fill` in this process, or a partial of `beam.infer.fill_on_beam`.
    same_engine : bool
        Whether stacks of another engine or combination than the training data's are an error, not a warning.
    dust : str
        As for `infer_partition`.

    Returns
    -------
    InferSummary

    Raises
    ------
    ValueError
        If the images differ from the training data's (see `system.provenance.check_images`), or the working folder is
        of another computation.
    OSError
        With a message that names the file and the remedy.
    """
    given = image_facts(source.survey, **source.facts)
    check_images(model.trained_on, given, source.path, model.folder)
    different = source.survey.difference(model.survey)
    if different:
        raise ValueError(
            f"{source.path}: images of {source.survey.name}, {model.folder} takes {model.survey.name} ({different})"
        )
    check_engine(model.trained_on, given, source.path, model.folder, same_engine)
    out = Path(out)
    facts = {
        "code": code_version(), "model": folder_hash(model.folder, MODEL_FILES), "images": source.fingerprint,
        "origin": source.origin, "dust": open_dust(dust)[1],
    }  # fmt: skip
    work = open_working_folder(out, source.partitions, {**facts, **(settings or {})})
    parts = _Parts(model, source, reddening, dust)
    fill_parts(work, parts.read, parts.compute, share, progress=progress)
    with joining(work, share) as is_mine:
        if not is_mine:
            return InferSummary(source.n_rows, None, len(work.missing()), None)
        parts = work.parts()
        if not (out.suffix == ".hats" and out.exists()):  # it was killed after writing it, before it removed the parts
            write_predictions_parts(parts, out)
        n_flagged = sum(int(np.sum(np.asarray(table["flag"]) != 0)) for table in parts.tables(["flag"]))
        head = _head(parts)
        work.remove()
    return InferSummary(source.n_rows, n_flagged, 0, head)


@dataclass(frozen=True)
class _Parts:
    """What the parts of an output are computed from, and how; it can be sent to another process."""

    model: object
    source: object
    reddening: CatalogReddening
    dust: str

    def read(self, numbers):
        """Images and tables of the partitions of these numbers, read when they are asked for."""
        if hasattr(self.source, "iter_stacks"):
            yield from self.source.iter_stacks(numbers)
        else:
            for number in numbers:
                yield self.source.partitions[number].read()

    def compute(self, name, stacks):
        """Predictions of the partition of a name."""
        source = self.source
        return infer_images(self.model, *stacks, source.origin, name, self.reddening, source.facts, self.dust)


def first_images(source, n_rows):
    """Images of the first galaxies of a source, of its first partition at most.

    Parameters
    ----------
    source : ImageSource or CatalogSource
    n_rows : int

    Returns
    -------
    ndarray, shape (n, size, size, n_bands)
    """
    if hasattr(source, "iter_stacks"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the frames were remarked on before
            return next(source.first(n_rows).iter_stacks([0]))[0]
    first = source.partitions[0]
    return first.read(np.arange(min(n_rows, first.n_rows)))[0]


def _head(parts):
    """The first rows of a table in parts."""
    first, n_rows = [], 0
    for table in parts.tables():
        first.append(table[: HEAD - n_rows])
        n_rows += len(first[-1])
        if n_rows >= HEAD:
            break
    return vstack(first, metadata_conflicts="silent")
