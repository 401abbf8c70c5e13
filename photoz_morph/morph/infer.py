"""Streaming classification: the classes of any number of stamps, one partition at a time.

The stamps come from `stamp_source.open_stamps`. While the network classifies one partition, the next is read. Each
partition's classes are a file of the working folder as soon as they are computed (see `streaming.working_folder`): the
memory needed does not depend on the number of stamps, and what was interrupted goes on after its last finished
partition.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from photoz_morph.morph.robustness.fragility import flag_fragile, pixel_range
from photoz_morph.streaming.joined_files import join_fits, join_parquet
from photoz_morph.streaming.prefetch import prefetched
from photoz_morph.streaming.working_folder import fill, joining, open_working_folder
from photoz_morph.system.files import write_whole
from photoz_morph.system.json_files import read_json
from photoz_morph.system.provenance import MODEL_FILES, code_version, folder_hash

JOIN = {".fits": join_fits, ".parquet": join_parquet}
RANGE = "pixel_range.json"


@dataclass(frozen=True)
class InferSummary:
    """Result of `infer_stamps`.

    Attributes
    ----------
    n_rows : int
        Stamps of the source.
    counts : dict of str to int
        Stamps of each class; None if the output was not written.
    n_fragile : int
        Of them, those whose class one pixel changes; None if that was not asked for.
    n_missing : int
        Partitions of other shares that are not there yet; 0 if the output was written.
    """

    n_rows: int
    counts: dict
    n_fragile: int
    n_missing: int


def infer_stamps(model, source, out, years, max_queries=None, share=None, progress=True, fill_parts=fill):
    """Classify all stamps of a source and write a table; its suffix, .fits or .parquet, gives the format.

    The caller owns the output, or the share of it; see `streaming.owners.owned`.

    Parameters
    ----------
    model : ExportedMorphModel
    source : ImageSource
        From `open_stamps`.
    out : path-like
    years : int
        Depth of the stamps.
    max_queries : int, optional
        Search, with at most so many queries of each stamp, for a pixel value within the range of all stamps that
        changes its class; by default there is no search.
    share : (int, int), optional
        Number of this process's share of the partitions, from 1, and number of shares. The process that finds all
        partitions finished writes the output.
    progress : bool
    fill_parts : callable
        Computes and writes the parts: `fill` in this process, or a partial of `beam.infer.fill_on_beam`.

    Returns
    -------
    InferSummary

    Raises
    ------
    ValueError
        If the working folder is of another computation.
    OSError
        With a message that names the file and the remedy.
    """
    out = Path(out)
    settings = {
        "code": code_version(), "model": folder_hash(model.folder, MODEL_FILES), "images": source.fingerprint,
        "years": years, "max_queries": max_queries,
    }  # fmt: skip
    work = open_working_folder(out, source.partitions, settings)
    low, high = (None, None) if max_queries is None else _range_of(source, work, progress)
    parts = _Parts(model, source, years, max_queries, low, high)
    fill_parts(work, parts.read, parts.compute, share, " stamps", progress)
    with joining(work, share) as is_mine:
        if not is_mine:
            return InferSummary(source.n_rows, None, None, len(work.missing()))
        parts = work.parts()
        with write_whole(out) as part:
            JOIN[out.suffix](parts, part)
        summary = InferSummary(source.n_rows, *_counts(parts, model.classes, max_queries is not None), 0)
        work.remove()
    return summary


@dataclass(frozen=True)
class _Parts:
    """What the parts of an output are computed from, and how; it can be sent to another process."""

    model: object
    source: object
    years: int
    max_queries: int
    low: np.ndarray
    high: np.ndarray

    def read(self, numbers):
        """Stamps and tables of the partitions of these numbers, read when they are asked for."""
        return (self.source.partitions[number].read() for number in numbers)

    def compute(self, name, stamps):
        """Classes of the partition of a name."""
        images, table = stamps
        found = self.model.classify(images, table, self.years, name)
        if self.max_queries is not None:
            flag_fragile(self.model, found, images, self.years, self.low, self.high, self.max_queries)
        return found


def _range_of(source, work, progress):
    """`pixel_range` of all stamps, kept in the working folder."""
    path = work.folder / RANGE
    if path.exists():
        found = read_json(path, ("low", "high"), f"remove {work.folder}")
        return np.float32(found["low"]), np.float32(found["high"])
    stamps = prefetched(partition.read()[0] for partition in source.partitions)
    with work.kept_if_begun(), tqdm(stamps, desc="range", total=len(work.names), disable=not progress) as bar:
        low, high = pixel_range(bar)
    if np.ndim(low):
        with write_whole(path, is_shared=True) as part:  # by each share that finds none
            part.write_text(json.dumps({"low": low.tolist(), "high": high.tolist()}))
    return low, high


def _counts(parts, classes, with_fragile):
    """Number of stamps of each class, and of fragile ones or None."""
    counts, n_fragile = dict.fromkeys(classes, 0), 0
    for table in parts.tables(["class", *(["fragile"] if with_fragile else [])]):
        for name in classes:
            counts[name] += int(np.sum(table["class"] == name))
        n_fragile += int(np.sum(table["fragile"])) if with_fragile else 0
    return counts, n_fragile if with_fragile else None
