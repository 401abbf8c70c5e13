"""Inference as a Beam pipeline: the parts of an output are computed by the workers of a runner.

A worker loads the model once. It reads what a part is computed from, computes it and writes it with the name and
content that it has without Beam, whole or not at all, so that either can go on where the other was killed. What the
workers need waits for them in a folder beside the parts: the pipeline itself is small for any number of parts.
"""

import contextlib
import os
import shutil
import threading
import uuid
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
from tqdm import tqdm

from photoz_morph.beam.running import beam_run
from photoz_morph.beam.tasks import read_task, remove_task, spread_numbers, write_task

SECONDS_BETWEEN_LOOKS = 1.0  # at the parts that are finished


def fill_on_beam(settings, work, read, compute, share=None, unit=" galaxies", progress=True):
    """Compute the missing parts of an output, as `streaming.working_folder.fill`, with the workers of a runner.

    Parameters
    ----------
    settings : BeamSettings
    work : WorkingFolder
        Every worker must see it under its path.
    read, compute : callable
        As of `fill`, and picklable.
    share : (int, int), optional
    unit : str
    progress : bool

    Raises
    ------
    ValueError
        If a part cannot be computed, after all others were.
    RuntimeError
        If the workers do not see the folder, or one was ended from outside.
    """
    left = work.missing(share)
    if not left:
        return
    work = replace(work, out=work.out.absolute())
    folder = work.folder / f"beam-{uuid.uuid4().hex}"
    with work.kept_if_begun(), _removed(folder):
        write_task(folder, (work, left, read, compute))
        with beam_run(settings) as screen, _progress_of(work, share, unit, progress, screen):
            with beam.Pipeline(runner=settings.runner, options=settings.options) as pipeline:
                spread_numbers(pipeline, len(left)) | "Compute" >> beam.ParDo(_Compute(str(folder)))
        errors = sorted(folder.glob("*.error"))
        if errors:
            others = f" ({len(errors) - 1} more parts cannot be computed)" if len(errors) > 1 else ""
            raise ValueError(errors[0].read_text() + others)
        if work.missing(share):
            raise RuntimeError(f"{work.folder}: the workers of the pipeline wrote nothing there; all must share it")


class _Compute(beam.DoFn):
    """Compute and write a part."""

    def __init__(self, folder):
        self._folder = folder

    def setup(self):
        read_task(self._folder)  # with the model

    def process(self, index):
        work, left, read, compute = read_task(self._folder)
        number = left[index]
        name = work.names[number]
        try:
            with contextlib.closing(read([number])) as items:
                table = compute(name, next(items))
            work.check(number, table)
        except ValueError as error:  # of what it is computed from: another attempt would fail too, other parts go on
            (Path(self._folder) / f"{name}.error").write_text(" ".join(str(error).split()))
        else:
            work.write(name, table, is_shared=True)


@contextlib.contextmanager
def _removed(folder):
    """A folder that is there inside a `with` statement only."""
    folder.mkdir()
    try:
        yield
    finally:
        remove_task(folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _progress_of(work, share, unit, progress, screen):
    """Bar of the rows whose parts are there, whoever wrote them."""
    sizes = {work.path(work.names[number]).name: work.sizes[number] for number in work.of_share(share)}
    is_over = threading.Event()

    def n_there():
        with os.scandir(work.folder) as entries:
            return sum(sizes.get(entry.name, 0) for entry in entries)

    shown = {"desc": "infer", "unit": unit, "disable": not progress, "file": screen}
    with tqdm(total=sum(sizes.values()), initial=n_there(), **shown) as bar:

        def watch():
            while not is_over.wait(SECONDS_BETWEEN_LOOKS):
                bar.update(n_there() - bar.n)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()
            bar.update(n_there() - bar.n)
