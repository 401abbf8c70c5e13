"""What the workers of a pipeline need, in a file that all of them see.

The description of a pipeline, which is sent to the runner, then stays small for any number of parts of the work.
"""

import functools
import pickle
from pathlib import Path

import apache_beam as beam

NAME = "task.pickle"
NUMBERS_AT_ONCE = 1000  # that a worker hands out


def write_task(folder, task):
    """Write an object of any kind that can be pickled into a folder."""
    (Path(folder) / NAME).write_bytes(pickle.dumps(task))


@functools.lru_cache(maxsize=1)
def read_task(folder):
    """The object that `write_task` wrote into a folder, read once in a process."""
    return pickle.loads((Path(folder) / NAME).read_bytes())


def remove_task(folder):
    """Remove the file of `write_task`, and what this process remembers of it."""
    read_task.cache_clear()
    (Path(folder) / NAME).unlink(missing_ok=True)


def spread_numbers(pipeline, n):
    """Collection of the numbers from 0 to n - 1, spread over the workers."""
    return (
        pipeline
        | "Starts" >> beam.Create(range(0, n, NUMBERS_AT_ONCE))
        | "Numbers" >> beam.FlatMap(_numbers, n)
        | "Spread" >> beam.Reshuffle()  # or one worker would get them all
    )


def _numbers(start, n):
    return range(start, min(start + NUMBERS_AT_ONCE, n))
