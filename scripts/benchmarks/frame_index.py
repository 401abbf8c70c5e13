"""Speed of the search for the frames that overlap a stamp, against looking at every frame.

    python scripts/benchmarks/frame_index.py [number of frames] [folder for the index, 1 GB]

Makes an index of frames of 2048 x 1489 pixels at random over the whole sky (5 million by default: 160 overlap a degree
of it, 5 a stamp), writes and reads it, and prints seconds, memory, and microseconds for each target through the tree
and by a linear scan of the centres, both in this process, and whether they find the same frames. Expect on a busy core
of a cloud machine 4 s and 1.4 GB to load 5 million frames, 5 s to plant the tree, 25 microseconds for each of 100,000
targets, and 0.1 s for one by the scan.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from photoz_morph.stacking.astrometry import unit_vector
from photoz_morph.stacking.frame_index import ARRAYS, TEXTS, FrameIndex, read_frame_index, survey_description
from photoz_morph.surveys import SDSS

SHAPE = (1489, 2048)
SIDE_ARCSEC = SDSS.stamp_size * SDSS.pixel_scale
N_SCANNED = 20


def main(n_frames, folder):
    """Make, write, read, search and print."""
    path = Path(folder, "frames.parquet")
    make_index(n_frames).write(path)
    print(f"{n_frames:,} frames in {path.stat().st_size / 1e6:.0f} MB")
    start, before = time.time(), peak_memory()
    index = read_frame_index(path)
    print(f"loaded in {time.time() - start:.1f} s; peak of memory {before:.2f} GB before, {peak_memory():.2f} GB after")
    start = time.time()
    index.overlaps(10.0, 10.0, SIDE_ARCSEC)
    print(f"tree and first search in {time.time() - start:.1f} s; peak of memory {peak_memory():.2f} GB")
    rng = np.random.default_rng(2)
    for n_targets in (1, 1000, 100_000):
        ra, dec = random_positions(rng, n_targets)
        start = time.process_time()
        starts, rows = index.overlaps(ra, dec, SIDE_ARCSEC)
        used = time.process_time() - start
        n_found = len(rows) / n_targets
        print(f"tree, {n_targets:7,} targets: {used / n_targets * 1e6:8.1f} us each, {n_found:.1f} frames")
    start = time.process_time()
    scanned = [scan(index, *position) for position in zip(ra[:N_SCANNED], dec[:N_SCANNED])]
    used = (time.process_time() - start) / N_SCANNED
    same = sum(np.array_equal(found, rows[starts[i] : starts[i + 1]]) for i, found in enumerate(scanned))
    print(f"scan, {N_SCANNED:7,} targets: {used * 1e6:8.0f} us each; the same frames for {same} of {N_SCANNED}")


def make_index(n_frames):
    """Index of frames that are not there, in a process that has nothing else in memory afterwards."""
    rng = np.random.default_rng(1)
    columns = {name: np.zeros((n_frames, *item), dtype) for name, (dtype, item) in ARRAYS.items()}
    columns["crval"] = np.stack(random_positions(rng, n_frames), axis=1)
    angle, scale = rng.uniform(0, 2 * np.pi, n_frames), SDSS.pixel_scale / 3600
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    columns["cd"] = np.ascontiguousarray(np.moveaxis(np.array([[-cosine, sine], [sine, cosine]]), -1, 0))
    columns["crpix"][:], columns["shape"][:] = (np.array(SHAPE[::-1]) + 1) / 2, SHAPE
    columns["center"] = np.ascontiguousarray(unit_vector(*columns["crval"].T).T)
    columns["radius"][:], columns["factor"][:], columns["plane"][:] = scale * np.hypot(*SHAPE) / 2, 1, -1
    columns["band"] = (np.arange(n_frames) % SDSS.n_bands).astype(np.int16)
    empty = pa.array(["" for _ in range(n_frames)], pa.large_string())
    columns |= dict.fromkeys(TEXTS, empty)
    columns["identity"] = pa.array((f"{i // 5000}-1-{i % 5000}" for i in range(n_frames)), pa.large_string())
    columns["path"] = pa.array(
        (f"301/{i // 5000}/1/frame-r-{i // 5000:06d}-1-{i % 5000:04d}.fits.bz2" for i in range(n_frames)),
        pa.large_string(),
    )  # fmt: skip
    return FrameIndex(columns, SDSS.bands, ".", {"survey": survey_description(SDSS), "n_ignored": 0})


def random_positions(rng, number):
    """Positions [deg] at random on the sphere."""
    return rng.uniform(0, 360, number), np.degrees(np.arcsin(rng.uniform(-1, 1, number)))


def scan(index, ra, dec):
    """Frames that overlap a stamp, by the distance to the centre of every frame."""
    reach = index["radius"] + SIDE_ARCSEC / 7200 * np.sqrt(2)
    near = np.flatnonzero(index["center"] @ unit_vector(ra, dec) > np.cos(np.radians(reach)))
    return near[index[near].overlaps(ra, dec, SIDE_ARCSEC)[1]]


def peak_memory():
    """Largest memory of this process so far [GB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    number = int(float(sys.argv[1])) if len(sys.argv) > 1 else 5_000_000
    if len(sys.argv) > 2:
        main(number, sys.argv[2])
    else:
        with tempfile.TemporaryDirectory() as own_folder:
            main(number, own_folder)
