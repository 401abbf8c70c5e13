"""Work of a stacking run: jobs of up to 1,000 galaxies, in this process or several.

Neighbours share frames, and reading a frame takes longer than making all stamps on it. Where the rows of a catalogue
are in an order that would open frames again and again, the galaxies are stacked in the order of their frames, kept in
files below the output folder, and gathered into the shards of the catalogue's order at the end.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import PurePath

import numpy as np
from tqdm import tqdm

from photoz_morph.stacking.frame_index import FrameIndex
from photoz_morph.stacking.pixels import FramePixels
from photoz_morph.stacking.stamps import StackSettings, Stamps, stack_targets
from photoz_morph.system.files import write_whole
from photoz_morph.system.pool import map_in_order

HELD_BYTES = 400_000_000  # of frames that all processes together keep in memory: 32 of SDSS
WORTH_SORTING = 1.5  # times as many frames are opened in the catalogue's order


@dataclass(frozen=True)
class Job:
    """Positions [deg] to stack together and the frames that overlap them; see `stamps.stack_targets`."""

    ra: np.ndarray
    dec: np.ndarray
    frames: FrameIndex
    starts: np.ndarray
    rows: np.ndarray
    settings: StackSettings
    held_bytes: int


@dataclass(frozen=True)
class Plan:
    """Positions of a catalogue, the frames that overlap each, and how they are stacked.

    Attributes
    ----------
    ra, dec : ndarray, shape (n,)
        [deg]
    index : FrameIndex
    starts, rows : ndarray of int
        From `FrameIndex.overlaps`.
    settings : StackSettings
    n_processes : int
    """

    ra: np.ndarray
    dec: np.ndarray
    index: FrameIndex
    starts: np.ndarray
    rows: np.ndarray
    settings: StackSettings
    n_processes: int

    def frames_of(self, numbers):
        """Starts and rows of some of the positions."""
        counts = self.starts[numbers + 1] - self.starts[numbers]
        starts = np.concatenate([[0], np.cumsum(counts)])
        shifts = np.repeat(self.starts[numbers] - starts[:-1], counts)
        return starts, self.rows[np.arange(starts[-1]) + shifts]

    def names_of(self, numbers):
        """Names of all frames that overlap some of the positions, sorted; without folders, which may be moved."""
        frames = self.index[np.unique(self.frames_of(numbers)[1])]
        return sorted(f"{band}-{PurePath(name).name}" for band, name in zip(frames["band"], frames["identity"]))

    def job(self, numbers):
        """Job of some of the positions, with no more of the index than it needs."""
        starts, rows = self.frames_of(numbers)
        used, rows = np.unique(rows, return_inverse=True)
        held_bytes = HELD_BYTES // self.n_processes
        return Job(self.ra[numbers], self.dec[numbers], self.index[used], starts, rows, self.settings, held_bytes)

    def by_frame(self, numbers):
        """The positions in the order of the first frame that overlaps each; those without one at the end."""
        has_frame = self.starts[numbers + 1] > self.starts[numbers]
        first = np.full(len(numbers), len(self.index))
        first[has_frame] = self.rows[self.starts[numbers[has_frame]]]
        return numbers[np.lexsort((self.ra[numbers], first))]

    def n_openings(self, units):
        """Number of frames that are opened if positions are stacked in these units."""
        return sum(len(np.unique(self.frames_of(unit)[1])) for unit in units)


def run_jobs(function, items, n_processes, settings, bar):
    """Iterate over `function(pixels, bar, item)` of every item, in order, in this process or several.

    Parameters
    ----------
    function : callable
        Of a module. `pixels` and `bar` are None in other processes.
    items : iterable
    n_processes : int
    settings : StackSettings
    bar : tqdm

    Yields
    ------
    object
    """
    if n_processes <= 1:
        pixels = FramePixels(settings.survey, HELD_BYTES)
        yield from (function(pixels, bar, item) for item in items)
    else:
        yield from map_in_order(partial(function, None, None), items, n_processes)


def stack_job(pixels, bar, job):
    """Stamps of a job, and what turned out to be wrong with frames: (unusable, not_finite) of `FramePixels`."""
    pixels = _pixels_here(job.settings.survey, job.held_bytes) if pixels is None else pixels
    quiet = tqdm(disable=True) if bar is None else bar
    stamps = stack_targets(job.frames, job.starts, job.rows, job.ra, job.dec, job.settings, pixels, quiet)
    return stamps, pixels.take_remarks()


@lru_cache(maxsize=1)
def _pixels_here(survey, held_bytes):
    """Frames that a worker process holds from job to job."""
    return FramePixels(survey, held_bytes)


class Unsorted:
    """Stamps in the order of the frames, in files below an output folder, until they are gathered into shards.

    An interrupted run finds its finished files again, as long as the galaxies, their frames and the settings are the
    same; else they are removed.

    Parameters
    ----------
    folder : Path
        Owned by this process.
    plan : Plan
    numbers : ndarray of int
        The positions that have to be stacked; those of the files there may be more.
    size : int
        Positions in a file.
    """

    def __init__(self, folder, plan, numbers, size):
        self.folder, self.plan = folder, plan
        self.numbers = self._of_earlier_run(numbers)
        if self.numbers is None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            self.numbers = plan.by_frame(numbers)
            with write_whole(folder / "order.json") as part:
                part.write_text(json.dumps({"hash": _hash(plan, self.numbers), "numbers": self.numbers.tolist()}))
        self.units = [self.numbers[start : start + size] for start in range(0, len(self.numbers), size)]

    def _of_earlier_run(self, numbers):
        """Positions in the order of an earlier run that can be continued, or None."""
        try:
            order = json.loads((self.folder / "order.json").read_text())
            earlier = np.array(order["numbers"], np.int64)
            is_same = np.isin(numbers, earlier).all() and order["hash"] == _hash(self.plan, earlier)
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            return None
        return earlier if is_same else None

    def jobs(self):
        """Work that is left: (path without suffix, job) of each unit without a finished file."""
        for number, unit in enumerate(self.units):
            path = self.folder / f"unit-{number:06d}"
            if not path.with_suffix(".json").exists():
                yield path, self.plan.job(unit)

    def gather(self, numbers):
        """Stamps of some positions, and the remarks on the frames of their units."""
        place = np.empty(self.numbers.max() + 1, np.int64)
        place[self.numbers] = np.arange(len(self.numbers))
        size, survey = len(self.units[0]), self.plan.settings.survey
        places = place[numbers]
        n = len(numbers)
        stamps = Stamps(
            np.empty((n, *survey.image_shape), np.float32), np.empty((n, survey.n_bands), np.float32),
            np.empty((n, survey.n_bands), np.int32), [""] * n, [[]] * n,
        )  # fmt: skip
        for unit in np.unique(places // size):
            path = self.folder / f"unit-{unit:06d}"
            images = np.load(path.with_suffix(".npy"), mmap_mode="r")
            facts = np.load(path.with_suffix(".facts.npy"))
            about = json.loads(path.with_suffix(".json").read_text())
            own = np.flatnonzero(places // size == unit)
            there = places[own] % size
            stamps.weights[own], stamps.n_frames[own] = facts["weights"][there], facts["n_frames"][there]
            for i, row in zip(own, there):
                stamps.images[i] = images[row]
                stamps.reasons[i], stamps.spoilers[i] = about["flagged"].get(str(row), ("", []))
        return stamps

    def remarks(self):
        """What is wrong with frames, unit by unit: (unusable, not_finite) of `FramePixels`."""
        for number in range(len(self.units)):
            yield json.loads((self.folder / f"unit-{number:06d}.json").read_text())["remarks"]

    def remove(self):
        """Remove the files."""
        shutil.rmtree(self.folder)


def stack_unit(pixels, bar, path_and_job):
    """Stack the galaxies of one file of `Unsorted` and write it; their number."""
    path, job = path_and_job
    stamps, remarks = stack_job(pixels, bar, job)
    with write_whole(path.with_suffix(".npy")) as part, open(part, "wb") as file:
        np.save(file, stamps.images)
    # Apart from the text: a shard of a large catalogue has galaxies of nearly every file, and opens them all.
    shape = stamps.weights.shape[1:]
    facts = np.empty(len(job.ra), [("weights", np.float32, shape), ("n_frames", np.int32, shape)])
    facts["weights"], facts["n_frames"] = stamps.weights, stamps.n_frames
    with write_whole(path.with_suffix(".facts.npy")) as part, open(part, "wb") as file:
        np.save(file, facts)
    flagged = {row: (reason, stamps.spoilers[row]) for row, reason in enumerate(stamps.reasons) if reason}
    about = {"flagged": flagged, "remarks": remarks}
    with write_whole(path.with_suffix(".json")) as part:  # last: with it the unit is finished
        part.write_text(json.dumps(about))
    return len(job.ra)


def _hash(plan, numbers):
    """Hash of positions, of the frames that overlap them, as they are on disk, and of the settings."""
    used = plan.index[np.unique(plan.frames_of(numbers)[1])]
    said = hashlib.sha256(repr(plan.settings).encode())
    for values in (plan.ra[numbers], plan.dec[numbers], used["size"], used["mtime"]):
        said.update(np.ascontiguousarray(values).tobytes())
    said.update("\n".join(used["path"]).encode())
    return said.hexdigest()
