"""Seconds and memory of `photoz evaluate` on files of many galaxies, in one pass and in memory.

    python scripts/benchmarks/evaluation.py [folder] [numbers of galaxies ...]

Writes synthetic predictions on 60 bins, 1,000,000 and 10,000,000 by default, as Parquet, one file at a time (240 bytes
a galaxy of disk), evaluates each in a process of its own, and removes it. Prints the core seconds of the pass, without
the bootstrap on its sample, which does not grow, the most memory of the process above its imports, the largest error
that streaming makes in a score, in units of the score's own error, and what 100,000,000 galaxies take at the rate of
the largest file. On a core of a shared cloud machine expect 9 microseconds a galaxy, and 0.3 GB whatever the number.
"""

import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from photoz_morph.photoz.predictions import predictions_table
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.streaming.joined_files import GROUP_ROWS
from photoz_morph.surveys import SDSS
from photoz_morph.system.tables import parquet_writer, to_arrow

GRID = RedshiftGrid(n_bins=60)
ROWS_AT_ONCE = 100_000
FAR = 100_000_000


def main(folder, numbers):
    """Make, evaluate and remove a file of each number of galaxies."""
    print(f"{'galaxies':>12s}{'pass [s]':>10s}{'bootstrap [s]':>15s}{'us a galaxy':>13s}{'memory [GB]':>13s}"
          f"{'error':>8s}")  # fmt: skip
    for n_galaxies in numbers:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            path = Path(place) / "predictions.parquet"
            write(path, n_galaxies)
            seconds, bootstrap, memory, error = in_process(path)
        rate = seconds / n_galaxies
        print(f"{n_galaxies:12,d}{seconds:10.0f}{bootstrap:15.0f}{1e6 * rate:13.1f}{memory:13.2f}{error:8.2f}",
              flush=True)  # fmt: skip
    print(f"{FAR:,d} galaxies: {(rate * FAR + bootstrap) / 60:.0f} min on a core, the same memory")


def write(path, n_galaxies):
    """Predictions of Gaussian PDFs, in groups of three galaxies of a fold."""

    def tables():
        for start in range(0, n_galaxies, ROWS_AT_ONCE):
            n = min(ROWS_AT_ONCE, n_galaxies - start)
            rng = np.random.default_rng([1, start])
            z_spec, width = rng.uniform(0.05, 0.35, n), rng.uniform(0.01, 0.02, n)
            centre = z_spec + width * rng.standard_normal(n)
            pdf = np.exp(-0.5 * ((GRID.midpoints - centre[:, None]) / width[:, None]) ** 2).astype(np.float32)
            pdf /= pdf.sum(axis=1, keepdims=True)
            obj_id = start + np.arange(n)
            columns = {"obj_id": obj_id, "group_id": obj_id // 3, "z_spec": z_spec, "fold": obj_id // 3 % 5}
            yield predictions_table(columns, pdf, GRID, SDSS, "simulated", "synthetic")

    writer = None
    for table in tables():
        content = to_arrow(table)
        writer = writer or parquet_writer(content.schema, path)
        writer.write_table(content, row_group_size=GROUP_ROWS)
    writer.close()


def in_process(path):
    """Result of `measure` in a new process, whose memory is that of the evaluation alone."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(measure, (path,))


def measure(path):
    """Core seconds of the pass and of the bootstrap, GB above the imports, and the largest streaming error."""
    from photoz_morph.photoz.evaluation import score_parts
    from photoz_morph.photoz.prediction_parts import PredictionParts

    before, start = memory_now(), time.process_time()
    parts, took = PredictionParts(path), []

    class Timed(score_parts.FoldScores):
        def scores(self, n_bootstrap, seed):
            took.append(time.process_time())
            return super().scores(n_bootstrap, seed)

    score_parts.FoldScores = Timed
    scores = score_parts.evaluate_parts(parts, progress=False)["all"]
    end = time.process_time()
    errors = [score.get("streaming_error", 0) / score["error"] for score in scores.values() if isinstance(score, dict)]
    return took[0] - start, end - took[0], _memory("VmHWM") - before, max(errors)


def memory_now():
    """Memory of this process [GB]; the most of it is counted anew from here (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name):
    """An entry of /proc/self/status [GB]."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1e6


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None, [int(float(text)) for text in sys.argv[2:]] or [10**6, 10**7])
