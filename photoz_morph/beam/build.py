"""Builds of TFDS datasets as Beam pipelines, with the content of the builds in one process.

TFDS writes the examples of a collection by itself, sorted by their keys as in one process, if the folder of the dataset
is one that every worker can write to. Here the collection is made, so that each partition of the source is read once
for all splits, and the hash of the content is summed beside it.
"""

import json
from pathlib import Path

import apache_beam as beam

from photoz_morph.beam.running import beam_run
from photoz_morph.beam.tasks import read_task, remove_task, spread_numbers, write_task

HASH_FILE = "content.json"  # beside the files of the dataset, until the pipeline has ended


class BeamBuild:
    """Examples of all splits of a dataset from a pipeline.

    Parameters
    ----------
    settings : BeamSettings
    partitions : sequence
        Parts of the source, picklable.
    read : callable
        Partition to an iterable of (split, key, example); a function of a module or a partial of one.
    digest : callable
        (split, example) to an int; see `tfds_builders.prepare.example_digest`.
    n_examples : int or None
        Number of examples in all splits, None where it is not known before the pixels are read.
    """

    def __init__(self, settings, partitions, read, digest, n_examples):
        self.settings, self._n_examples = settings, n_examples
        self._task = tuple(partitions), read, digest

    def generators(self, splits, folder):
        """Collection of (key, example) of each split, as a PTransform that TFDS takes for a generator.

        Parameters
        ----------
        splits : sequence of str
        folder : path-like
            What the workers need, and the hash, are written there.
        """
        write_task(folder, self._task)
        read = _Read(len(self._task[0]), tuple(splits), str(folder))
        return {split: _Split(read, split) for split in splits}

    def run(self):
        """Context manager in which the pipeline runs; see `beam_run`."""
        return beam_run(self.settings)

    def digest(self, folder):
        """Sum of the digests of all examples, after the pipeline has ended.

        Raises
        ------
        RuntimeError
            If there are more or fewer examples than expected, or the workers wrote to another file system.
        """
        remove_task(folder)
        path = Path(folder) / HASH_FILE
        if not path.exists():
            raise RuntimeError(f"{folder}: the workers of the pipeline wrote nothing there; all of them must share it")
        found = json.loads(path.read_text())
        path.unlink()
        if self._n_examples is not None and found["n_examples"] != self._n_examples:
            raise RuntimeError(
                f"{folder}: the pipeline made {found['n_examples']} examples of {self._n_examples}; run it again"
            )
        return int(found["digest"], 16)


class _Split(beam.PTransform):
    """Examples of one split."""

    def __init__(self, read, split):
        super().__init__()
        self._read_all, self._split = read, split

    def expand(self, begin):
        return self._read_all.of(begin.pipeline)[self._split] | "Keep" >> beam.Map(_same)


class _Read:
    """All splits of a pipeline, from one reading of each partition."""

    def __init__(self, n_partitions, splits, folder):
        self._n_partitions, self._splits, self._folder = n_partitions, splits, folder
        self._of = {}  # one pipeline

    def of(self, pipeline):
        """Collections by split."""
        if not self._of:
            numbers = spread_numbers(pipeline, self._n_partitions)
            examples = numbers | "Read" >> beam.FlatMap(_examples_of, self._folder)
            (
                examples
                | "Digest" >> beam.Map(_digest_of, self._folder)
                | "Sum" >> beam.CombineGlobally(_SumDigests())
                | "Write hash" >> beam.Map(_write_hash, self._folder)
            )
            parts = examples | "Splits" >> beam.Partition(_place_of, len(self._splits), self._splits)
            self._of = {split: part | f"Keys {split}" >> beam.Map(_keyed) for split, part in zip(self._splits, parts)}
        return self._of


class _SumDigests(beam.CombineFn):
    """Sum of digests modulo 2^128, and their number."""

    def create_accumulator(self):
        return 0, 0

    def add_input(self, accumulator, digest):
        return (accumulator[0] + digest) % 2**128, accumulator[1] + 1

    def merge_accumulators(self, accumulators):
        totals, counts = zip(*accumulators)
        return sum(totals) % 2**128, sum(counts)

    def extract_output(self, accumulator):
        return accumulator


def _examples_of(number, folder):
    partitions, read, _ = read_task(folder)
    return read(partitions[number])


def _digest_of(element, folder):
    split, _, example = element
    return read_task(folder)[2](split, example)


def _place_of(element, n_splits, splits):
    return splits.index(element[0])


def _keyed(element):
    return element[1:]


def _same(element):
    return element


def _write_hash(total, folder):
    (Path(folder) / HASH_FILE).write_text(json.dumps({"digest": f"{total[0]:032x}", "n_examples": total[1]}))
