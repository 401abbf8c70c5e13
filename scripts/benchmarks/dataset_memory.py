"""Memory of reading a file like the public sdss.npz: `python scripts/benchmarks/dataset_memory.py --gigabytes 5`.

A file of that layout is written to --folder (all its pixels are there, no holes), opened in a process of its own, and
read once from the first galaxy to the last; the file is removed afterwards. It prints the peak of the resident memory
above that after the imports, and the rate. The public file has 54 GB; memory does not depend on the size.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np

BLOCK = 500  # galaxies that are written at once
ROW_BYTES = 64 * 64 * 5 * 4


def write_file(path, n_galaxies):
    """Write a file of random pixels and labels, block by block."""
    rng = np.random.default_rng(1)
    labels = np.zeros(n_galaxies, [("z", "f4"), ("EBV", "f4"), ("specObjID", "i8"), ("ra", "f8"), ("dec", "f8"),
                                   *((f"column_{number}", "f4") for number in range(59))])  # fmt: skip
    labels["z"], labels["EBV"] = rng.uniform(0.01, 0.4, n_galaxies), rng.uniform(0, 0.1, n_galaxies)
    labels["specObjID"] = 299489677444933632 + np.arange(n_galaxies)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("cube.npy", "w", force_zip64=True) as member:
            header = {"descr": "<f4", "fortran_order": False, "shape": (n_galaxies, 64, 64, 5)}
            np.lib.format.write_array_header_1_0(member, header)
            for first in range(0, n_galaxies, BLOCK):
                n = min(BLOCK, n_galaxies - first)
                member.write(rng.standard_normal((n, 64, 64, 5), np.float32).tobytes())
        with archive.open("labels.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, labels)


def peak_mb():
    """Peak resident memory of this process so far [MB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kB on Linux


def read_file(path):
    """Open the file and read every galaxy once; print what it takes."""
    from photoz_morph.sources.formats import open_source

    warnings.simplefilter("ignore", UserWarning)  # which column was taken for which
    imports = peak_mb()
    start = time.monotonic()
    source = open_source(path)
    opened = time.monotonic()
    total = 0.0
    for partition in source.partitions:
        images, table = partition.read()
        total += float(images[:, 32, 32].sum())
        assert not table["flag"].any()
    seconds = time.monotonic() - opened
    gigabytes = source.n_rows * ROW_BYTES / 1e9
    print(f"{source.n_rows} galaxies, {gigabytes:.2f} GB of pixels (sum of the central ones {total:.0f})")
    print(f"opened in {opened - start:.2f} s, read in {seconds:.0f} s: {source.n_rows / seconds:.0f} galaxies/s")
    print(f"peak memory {peak_mb() - imports:.0f} MB above the {imports:.0f} MB after the imports (goal: 1000)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=5.0, help="size of the file")
    parser.add_argument("--folder", help="where to write it; by default a temporary folder")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        read_file(arguments.read)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "sdss.npz"
        write_file(path, max(int(arguments.gigabytes * 1e9 / ROW_BYTES), 1))
        subprocess.run([sys.executable, __file__, "--read", str(path)], check=True)


if __name__ == "__main__":
    main()
