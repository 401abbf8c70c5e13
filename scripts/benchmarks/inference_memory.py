"""Memory and speed of `photoz infer` against the number of galaxies.

    python scripts/benchmarks/inference_memory.py [--rows 1000 10000 100000] [--out .parquet] [--folder FOLDER]

Exports an untrained network with few maps, writes one shard of 1,000 noise stamps, and infers folders in which it
stands one, ten and a hundred times, each in a process of its own: seconds, galaxies per second, and the most memory of
the process above what it had once everything was imported, the model loaded and one batch predicted. The last column is
the most while the parts are joined to one file. Memory must not grow with the galaxies: exits with 1 if a run takes
100 MB more than that of 10,000. Nothing is learned here: the numbers measure the machinery. 100,000 galaxies take about
ten minutes on two cores.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.surveys import SDSS

SHARD = 1000
MB = 2**20
ALLOWED_GROWTH = 100  # MB
SETTINGS = ("model.crop=32", "model.conv1_filters=8", "model.dense_units=32", "model.blocks=[[4, 8], [8, 8]]",
            "model.pool_after=[1]")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--out", default=".parquet", choices=[".fits", ".parquet", ".hdf5", ".hats"])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        place = Path(place)
        in_process(export_small, place / "model")
        in_process(write_noise, place / "stacks-00000.fits")
        print(f"{'galaxies':>10s}{'seconds':>9s}{'per second':>12s}{'imports [MB]':>14s}{'above [MB]':>12s}"
              f"{'the join [MB]':>15s}")  # fmt: skip
        above = {}
        for n_rows in options.rows:
            folder = place / f"stacks_{n_rows}"
            folder.mkdir()
            for number in range(-(-n_rows // SHARD)):
                (folder / f"stacks-{number:05d}.fits").symlink_to(place / "stacks-00000.fits")
            seconds, imports, above[n_rows], join = in_process(infer, place, folder, options.out)
            n_made = SHARD * (-(-n_rows // SHARD))
            print(f"{n_made:10,d}{seconds:9.1f}{n_made / seconds:12.0f}{imports:14.0f}{above[n_rows]:12.0f}"
                  f"{join:15.0f}", flush=True)  # fmt: skip
    reference = above.get(10_000, min(above.values()))
    sys.exit(max(above.values()) > reference + ALLOWED_GROWTH)


def in_process(function, *arguments):
    """Result of a function called in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def export_small(folder):
    """Export an untrained network with few maps."""
    from photoz_morph.config import load_config
    from photoz_morph.models.registry import build_model
    from photoz_morph.photoz.config import PhotozConfig
    from photoz_morph.photoz.export import export_network

    config = load_config("photoz_simulated.yaml", PhotozConfig, SETTINGS)
    facts = {"model": "inception_photoz", "n_members": 1, "trained_on": {"name": "nothing", "origin": "simulated"}}
    export_network(build_model(config), SDSS, config.redshift, folder, facts)


def write_noise(path):
    """Write a shard of noise, with positions over the sky."""
    from photoz_morph.shards.stacks import write_shard

    rng = np.random.default_rng(1)
    images = rng.normal(size=(SHARD, *SDSS.image_shape)).astype(np.float32) * np.asarray(SDSS.sky_sigma)
    ids = np.arange(SHARD)
    table = Table({
        "obj_id": ids, "group_id": ids, "ra": rng.uniform(0, 360, SHARD), "dec": rng.uniform(-60, 60, SHARD),
        "z_spec": np.full(SHARD, np.nan), "ebv": np.full(SHARD, 0.05), "flag": np.zeros(SHARD, np.int16),
    })  # fmt: skip
    write_shard(path, images, table, SDSS, "stacked")


def infer(place, folder, suffix):
    """Seconds, memory after the imports, the most above it, and of that while the parts are joined [MB]."""
    from photoz_morph.photoz import infer as streaming
    from photoz_morph.photoz.exported_model import load_exported_model
    from photoz_morph.sources.formats import open_source
    from photoz_morph.training.quiet import quiet_tensorflow

    if suffix == ".hats":
        import hats.io.parquet_metadata  # noqa: F401
    quiet_tensorflow()
    model = load_exported_model(place / "model")
    model.predict(np.zeros((64, *SDSS.image_shape)), np.zeros(64))
    imports, watched = memory(), Watch()
    write = streaming.write_predictions_parts
    joined = []

    def watched_write(parts, path):
        with Watch() as watch:
            write(parts, path)
        joined.append(watch.most)

    streaming.write_predictions_parts = watched_write
    start = time.perf_counter()
    with watched:
        streaming.infer_source(model, open_source(folder), folder.with_suffix(suffix), progress=False)
    seconds = time.perf_counter() - start
    return seconds, imports, watched.most - imports, joined[0] - imports


class Watch:
    """Most resident memory of this process inside a `with` statement [MB], looked at every 5 ms."""

    def __enter__(self):
        self.most, self._is_over = memory(), threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self):
        while not self._is_over.wait(0.005):
            self.most = max(self.most, memory())

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()


def memory():
    """Resident memory of this process [MB]."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB


if __name__ == "__main__":
    main()
