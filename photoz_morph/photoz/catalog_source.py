"""Galaxies of a catalogue, stacked from survey frames when they are asked for: a source of `photoz infer`.

Its partitions are the shards that `stacking.stack.stack_catalog` would write, but no stack is kept on disk.
"""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.shards.stacks import SHARD_SIZE
from photoz_morph.stacking.frame_index import open_frames
from photoz_morph.stacking.stack import DEFAULT_ENGINE, iter_stacks
from photoz_morph.surveys import Survey


@dataclass(frozen=True)
class CatalogPartition:
    """Rows of a catalogue that are stacked together."""

    name: str
    first: int
    n_rows: int


@dataclass(frozen=True)
class CatalogSource:
    """A catalogue and the frames to stack its galaxies from.

    Attributes
    ----------
    catalog : Table
        From `read_galaxy_catalog`.
    frames : path-like
        Folder of frames, or their index.
    survey : Survey
    options : dict
        Further arguments of `iter_stacks`, such as `combine`.
    progress : bool
        Whether to show the progress of reading the headers of the frames.
    """

    catalog: Table
    frames: Path
    survey: Survey
    options: dict = field(default_factory=dict)
    progress: bool = False
    origin = "stacked"

    @property
    def path(self):
        """The frames, for messages."""
        return Path(self.frames)

    @property
    def facts(self):
        """`engine` and `combine` of the stacks that will be made; see `system.provenance`."""
        engine = self.options.get("engine") or ("swarp" if self.options.get("swarp") else DEFAULT_ENGINE)
        return {"engine": engine, "combine": self.options.get("combine", "median")}

    @property
    def n_rows(self):
        """Number of galaxies."""
        return len(self.catalog)

    @property
    def partitions(self):
        """Partitions of `SHARD_SIZE` galaxies, in the order of the catalogue."""
        starts = range(0, self.n_rows, SHARD_SIZE)
        return tuple(
            CatalogPartition(f"stacks-{number:05d}", start, min(SHARD_SIZE, self.n_rows - start))
            for number, start in enumerate(starts)
        )

    @property
    def fingerprint(self):
        """Hash of the catalogue, and of the names, sizes and times of the frames; other files do not count."""
        digest = hashlib.blake2b(digest_size=16)
        for column in self.catalog.itercols():
            digest.update(f"{column.name} {column.dtype.str} {column.shape}".encode())
            values = np.ascontiguousarray(column)
            digest.update(repr(values.tolist()).encode() if values.dtype.hasobject else values.tobytes())
        digest.update(self.index.fingerprint().encode())
        return digest.hexdigest()

    @cached_property
    def index(self):
        """Index of the frames, opened once; it goes with the source to another process."""
        return open_frames(self.frames, self.survey, self.progress, self.options.get("processes", 1))

    def first(self, n_rows):
        """Source of the first galaxies, with the same index of the frames and without progress bars."""
        fewer = replace(self, catalog=self.catalog[:n_rows], progress=False)
        vars(fewer)["index"] = self.index
        return fewer

    def iter_stacks(self, numbers):
        """Stack the partitions of some numbers, in increasing order.

        Parameters
        ----------
        numbers : sequence of int
            Only the last partition can be shorter than the others.

        Yields
        ------
        (images, table)
            Of each partition; see `stacking.stack.iter_stacks`.
        """
        if not numbers:
            return
        partitions = self.partitions
        chosen = [partitions[number] for number in numbers]
        rows = np.concatenate([np.arange(one.first, one.first + one.n_rows) for one in chosen])
        yield from iter_stacks(self.catalog[rows], self.index, self.survey, progress=self.progress, **self.options)
