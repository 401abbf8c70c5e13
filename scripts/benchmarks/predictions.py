"""Seconds, bytes and errors of predictions written and read in each format.

    python scripts/benchmarks/predictions.py [number of galaxies] [folder]

Makes a table of that many galaxies (1,000,000 by default) with PDFs as wide and as ragged as those of a small network,
and writes and reads it in every format, each in a process of its own: seconds, and those of them on a core (in the rest
it waits for the disk or for who else computes); bytes a galaxy; core seconds and bytes relative to plain FITS; the
largest error of a PDF, of its cumulative distribution where compact; the most memory of the process, which has the
table itself from the start. Then what compact PDFs change in every score. A million galaxies need 5 GB of memory and,
one file at a time, 1 GB of disk in the folder, by default the system's for temporary files. Expect six minutes on a
busy core of a cloud machine; 800 bytes a galaxy in FITS, 630 in Parquet; 260 and 90 with compact PDFs of error 1e-3.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from photoz_morph.photoz.formats.compact import compact_errors
from photoz_morph.photoz.predictions import predictions_table, read_predictions, write_predictions
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS

GRID = RedshiftGrid()
FORMS = [  # suffix, largest error of compact PDFs
    (".fits", None), (".parquet", None), (".hdf5", None), (".hats", None),
    (".fits", 1e-3), (".parquet", 1e-3), (".hats", 1e-3), (".fits", 1e-4), (".parquet", 1e-4),
]  # fmt: skip
ROWS_AT_ONCE = 20_000


def main(n_galaxies, folder):
    """Make the table, write and read it in all forms, print."""
    start = time.perf_counter()
    table = synthetic_predictions(n_galaxies)
    print(f"{n_galaxies:,} galaxies made in {time.perf_counter() - start:.0f} s; memory {peak_memory():.1f} GB\n")
    print(f"{'':16s}{'write [s]':>14s}{'read [s]':>14s}{'bytes per':>11s}{'relative to FITS':>20s}{'largest':>9s}"
          f"{'memory [GB]':>14s}\n{'form':16s}{'all':>7s}{'core':>7s}{'all':>7s}{'core':>7s}{'galaxy':>11s}"
          f"{'write':>8s}{'read':>6s}{'bytes':>6s}{'error':>9s}{'write':>8s}{'read':>6s}")  # fmt: skip
    plain, errors = None, {}
    for suffix, max_cdf_error in FORMS:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            path = Path(place) / f"predictions{suffix}"
            write_seconds, write_memory, _ = in_process(write, table, path, max_cdf_error)
            size = size_of(path) / n_galaxies
            with_scores = max_cdf_error and max_cdf_error not in errors  # which are the same in every format
            read_seconds, read_memory, (error, scores) = in_process(read, table, path, max_cdf_error, with_scores)
        name = suffix + (f" {max_cdf_error:g}" if max_cdf_error else "")
        seconds = "".join(f"{one:7.1f}" for one in (*write_seconds, *read_seconds))
        measured = (write_seconds[1], read_seconds[1], size)
        plain = plain or measured
        relative = "".join(f"{one / other:6.2f}" for one, other in zip(measured, plain))
        memory = f"{write_memory:8.1f}{read_memory:6.1f}"
        print(f"{name:16s}{seconds}{size:11.0f}  {relative}{error:9.1e}{memory}", flush=True)
        if with_scores:
            errors[max_cdf_error] = scores
    print(f"\n{'score':20s}{'exact':>10s}" + "".join(f"{f'compact {error:g}':>16s}" for error in errors))
    for name, (value, _) in next(iter(errors.values())).items():
        print(f"{name:20s}{value:10.5f}" + "".join(f"{scores[name][1]:+16.1e}" for scores in errors.values()))


def synthetic_predictions(n):
    """Calibrated PDFs with a Gaussian core, wings and ragged logits, widths spread over a factor of five."""
    rng = np.random.default_rng(1)
    z_spec = np.clip(rng.gamma(3.5, 0.032, n), 0.005, 0.38)
    width = 0.012 * np.exp(rng.normal(0, 0.4, n))
    peak = z_spec + width * rng.normal(size=n)
    pdf = np.empty((n, GRID.n_bins), np.float32)
    for start in range(0, n, ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        squares = ((GRID.midpoints - peak[rows, None]) / width[rows, None]) ** 2
        part = np.exp(-0.5 * squares) + 1e-4 / (1 + squares)
        part *= np.exp(rng.normal(0, 0.1, part.shape))
        pdf[rows] = part / part.sum(axis=1, keepdims=True)
    pdf[:: 1000] = np.nan  # galaxies without a PDF
    columns = {
        "obj_id": np.int64(1237648720693755918) + rng.permutation(n),
        "ra": rng.uniform(120, 240, n),
        "dec": np.degrees(np.arcsin(rng.uniform(0, 0.9, n))),
        "ebv": rng.gamma(2, 0.02, n).astype(np.float32),
        "z_spec": z_spec,
        "fold": rng.integers(0, 5, n).astype(np.int16),
    }
    return predictions_table(columns, pdf, GRID, SDSS, "simulated", model="synthetic")


def write(table, path, max_cdf_error):
    """Seconds of writing, wall clock and processor, and peak memory."""
    start = clocks()
    write_predictions(table, path, max_cdf_error)
    return clocks() - start, peak_memory(), None


def read(table, path, max_cdf_error, with_scores):
    """Seconds of reading, peak memory, and errors of the table read."""
    start = clocks()
    back, grid = read_predictions(path)
    seconds, memory = clocks() - start, peak_memory()
    assert np.array_equal(back["obj_id"], table["obj_id"]) and np.array_equal(back["flag"], table["flag"])
    if max_cdf_error:
        return seconds, memory, compact_errors(table if with_scores else table["flag", "pdf"], back, grid)
    starts = range(0, len(table), ROWS_AT_ONCE)
    rows = [slice(first, first + ROWS_AT_ONCE) for first in starts]
    return seconds, memory, (max(np.nanmax(np.abs(table["pdf"][part] - back["pdf"][part])) for part in rows), {})


def in_process(function, *arguments):
    """Result of a function called in a forked process, whose peak memory is measured separately."""
    context = multiprocessing.get_context("fork")  # the table is not copied before it is changed
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=lambda: there.send(function(*arguments)))
    process.start()
    there.close()
    result = here.recv()
    process.join()
    return result


def clocks():
    """Wall-clock and processor seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def peak_memory():
    """Peak memory of this process [GB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def size_of(path):
    """Bytes of a file or of all files in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, sys.argv[2] if len(sys.argv) > 2 else None)
