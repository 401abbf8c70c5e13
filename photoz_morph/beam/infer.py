"""Inference as a Beam pipeline: the parts of the output are computed by the workers of a runner.

A worker loads the model once. It reads a partition of the images, predicts it and writes the part of the output with the
name and content of the command without Beam, whole or not at all, so that either can go on where the other was
killed. What the workers need to know waits for them in a folder beside the parts, and the pipeline itself is small for
any number of partitions.
"""

import contextlib
import functools
import os
import pickle
import shutil
import threading
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import apache_beam as beam
from tqdm import tqdm

from photoz_morph.beam.running import beam_run
from photoz_morph.photoz.catalog_source import CatalogSource
from photoz_morph.training.quiet import quiet_tensorflow

TASKS_AT_ONCE = 500  # partitions in one file
SECONDS_BETWEEN_LOOKS = 1.0  # at the parts that are finished
COMMON = "common.pickle"


@dataclass(frozen=True)
class PhotozPredictor:
    """Redshift PDFs of a partition; see `photoz.infer`.

    Attributes
    ----------
    folder : Path
        The exported model.
    origin : str
        "simulated" or "stacked".
    reddening : CatalogReddening
        Or None.
    """

    folder: Path
    origin: str
    reddening: object

    def load(self):
        """The model."""
        from photoz_morph.photoz.exported_model import load_exported_model

        return load_exported_model(self.folder)

    def predict(self, model, partition):
        """Table of predictions."""
        from photoz_morph.photoz.infer import infer_partition

        return infer_partition(model, partition, self.origin, self.reddening)


@dataclass(frozen=True)
class _StackedPartition:
    """Galaxies of a catalogue that a worker stacks from the frames."""

    source: CatalogSource
    name: str
    n_rows: int

    def read(self):
        return next(self.source.iter_stacks([0]))


def infer_photoz(settings, model, source, work, numbers, reddening=None, n_done=0, progress=True):
    """Compute partitions of `photoz.infer.infer_source`, whose argument `compute` this is.

    Parameters
    ----------
    settings : BeamSettings
    model : ExportedModel
    source : ImageSource or CatalogSource
    work : WorkingFolder
        The parts are written there.
    numbers : list of int
        Of the partitions, from 0.
    reddening : CatalogReddening, optional
    n_done : int
        Galaxies of partitions that were computed before, for the progress bar.
    progress : bool

    Raises
    ------
    ValueError
        If a partition is damaged, after all others were computed.
    RuntimeError
        If the workers do not share the folder, or one was ended from outside.
    """
    predictor = PhotozPredictor(model.folder.absolute(), source.origin, reddening)
    compute_parts(settings, predictor, _tasks(source, numbers), work, numbers, n_done, progress)


def _tasks(source, numbers):
    """Partitions that workers can read."""
    for number in numbers:
        one = source.partitions[number]
        if isinstance(source, CatalogSource):
            rows = source.catalog[one.first : one.first + one.n_rows]
            one = _StackedPartition(replace(source, catalog=rows, progress=False), one.name, one.n_rows)
        yield one


def compute_parts(settings, predictor, tasks, work, numbers, n_done=0, progress=True):
    """Compute parts of an output with the workers of a runner; see `infer_photoz`.

    Parameters
    ----------
    settings : BeamSettings
    predictor : PhotozPredictor
        Or another picklable object with `load` and `predict`.
    tasks : iterable
        Picklable partitions of the numbers, in order.
    work : WorkingFolder
    numbers : list of int
    n_done : int
    progress : bool
    """
    if not numbers:
        return
    folder = (work.folder / f"beam-{uuid.uuid4().hex}").absolute()
    try:
        n_files = _write_tasks(folder, predictor, tasks, replace(work, out=work.out.absolute()))
        with beam_run(settings) as screen, _progress_of(work, numbers, n_done, progress, screen):
            with beam.Pipeline(runner=settings.runner, options=settings.options) as pipeline:
                (
                    pipeline
                    | "Files" >> beam.Create(range(n_files))
                    | "Partitions" >> beam.FlatMap(_read_tasks, str(folder))
                    | "Spread" >> beam.Reshuffle()  # or one worker would compute all of a file
                    | "Predict" >> beam.ParDo(_Predict(str(folder)))
                )
        errors = sorted(folder.glob("*.error"))
        if errors:
            others = f" ({len(errors) - 1} more partitions cannot be predicted)" if len(errors) > 1 else ""
            raise ValueError(errors[0].read_text() + others)
        if set(numbers) & set(work.missing()):
            raise RuntimeError(f"{work.folder}: the workers of the pipeline wrote nothing there; all must share it")
    finally:
        _of_worker.cache_clear()
        shutil.rmtree(folder, ignore_errors=True)


def _write_tasks(folder, predictor, tasks, work):
    """Write what the workers need; the number of files of tasks."""
    folder.mkdir()
    (folder / COMMON).write_bytes(pickle.dumps((predictor, work)))
    n_files, waiting = 0, []
    for task in tasks:
        waiting.append(task)
        if len(waiting) == TASKS_AT_ONCE:
            (folder / f"{n_files}.pickle").write_bytes(pickle.dumps(waiting))
            n_files, waiting = n_files + 1, []
    if waiting:
        (folder / f"{n_files}.pickle").write_bytes(pickle.dumps(waiting))
        n_files += 1
    return n_files


def _read_tasks(number, folder):
    return pickle.loads((Path(folder) / f"{number}.pickle").read_bytes())


class _Predict(beam.DoFn):
    """Read, predict and write a partition."""

    def __init__(self, folder):
        self._folder = folder

    def setup(self):
        _of_worker(self._folder)

    def process(self, partition):
        predictor, work, model = _of_worker(self._folder)
        try:
            table = predictor.predict(model, partition)
        except ValueError as error:  # of the partition: others go on, and a second attempt would fail too
            (Path(self._folder) / f"{partition.name}.error").write_text(" ".join(str(error).split()))
        else:
            work.write(partition.name, table, is_shared=True)


@functools.lru_cache(maxsize=1)
def _of_worker(folder):
    """Predictor, working folder and model, once in a process."""
    predictor, work = pickle.loads((Path(folder) / COMMON).read_bytes())
    quiet_tensorflow()
    return predictor, work, predictor.load()


@contextlib.contextmanager
def _progress_of(work, numbers, n_done, progress, screen):
    """Bar of the galaxies whose parts are there, whoever wrote them."""
    sizes = {work.path(work.names[number]).name: work.sizes[number] for number in numbers}
    is_over = threading.Event()
    shown = {"desc": "infer", "unit": " galaxies", "disable": not progress, "file": screen}
    with tqdm(total=n_done + sum(sizes.values()), initial=n_done, **shown) as bar:

        def look():
            with os.scandir(work.folder) as entries:
                bar.update(n_done + sum(sizes.get(entry.name, 0) for entry in entries) - bar.n)

        def watch():
            while not is_over.wait(SECONDS_BETWEEN_LOOKS):
                look()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()
            look()
