"""A synthetic survey from end to end: frames are indexed, galaxies stacked and their redshifts inferred.

    python scripts/benchmarks/survey.py FOLDER [--targets 100000] [--fields 667] [--kills 10] [--runner DirectRunner]

Makes three bands of small frames with that many galaxies in FOLDER (unless they are there), trains a tiny network on
2,000 of them, and then runs `photoz index`, `photoz stack` and `photoz infer` on a hundredth, a tenth and all of the
targets: seconds, targets per second, and the most memory of all processes of the command together above that of the
same command for ten targets, which has all imports. Then `photoz infer` from the frames is ended by SIGKILL at random
moments and resumed, once as it is and once with a Beam runner, and its output compared row for row with that of an
undisturbed run. Exits with 1 if a row differs. The galaxies are Gaussians whose colours follow their redshift:
they measure the machinery and no science. 100,000 targets take 1.5 GB of disk and about an hour on two cores.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

SURVEY = """\
name: synthetic
bands: [g, r, i]
pixel_scale: 0.6
stamp_size: 24
image_unit: nanomaggy
zero_point: 22.5
extinction_per_ebv: [3.2, 2.2, 1.6]
sky_sigma: [0.05, 0.05, 0.05]
frames:
  file_name: "image-{band}-*.fits"
  band_keyword: FILTER
  unit: nanomaggy
"""
BANDS = ("g", "r", "i")
SIDE, STEP = 320, 300  # of a frame, and from one to the next [pixel]
SCALE = 0.6 / 3600  # [deg / pixel]
NOISE = 0.05  # [nanomaggy]
RA, DEC = 150.0, 2.0  # of the first field [deg]
N_TRAINING = 2000
CONFIG = """\
base: photoz_simulated.yaml
survey: survey.yaml
data: {n_validation: 100}
model: {crop: 24, conv1_filters: 8, conv1_kernel: 5, blocks: [[8, 12], [12, 16]], pool_after: [1], dense_units: 64}
train: {epochs: 3, warmup_iterations: 20}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--targets", type=int, default=100_000)
    parser.add_argument("--fields", type=int, default=667)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--runner", default="DirectRunner")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(options.folder)
    if not Path("galaxies.parquet").exists():
        make_survey(options.targets, options.fields)
    Path("survey.yaml").write_text(SURVEY)
    n = len(Table.read("galaxies.parquet"))
    sizes = sorted({10, n // 100, n // 10, n})
    for size in sizes:
        Table.read("galaxies.parquet")[:size].write(f"galaxies_{size}.parquet", overwrite=True)
    index = timed("photoz index frames --survey survey.yaml -o frames.parquet --quiet", "frames.parquet")
    n_frames = len(list(Path("frames").iterdir()))
    print(f"{n_frames:,} frames, {n:,} targets\nindex  {n_frames / index[0]:10,.0f} frames/s")
    train()
    print(f"\n{'command':8s}{'targets':>9s}{'seconds':>9s}{'per second':>12s}{'GB':>7s}{'GB above 10 targets':>21s}")
    for name, words, out in (
        ("stack", "photoz stack {catalog} frames.parquet --survey survey.yaml --out {out} --quiet", "stacks_{size}"),
        ("infer", "photoz infer model stacks_{size} --out {out} --quiet", "from_stacks_{size}.parquet"),
    ):
        least = None
        for size in sizes:
            values = {"size": size, "catalog": f"galaxies_{size}.parquet", "out": out.format(size=size)}
            seconds, memory = timed(words.format(**values), values["out"])
            least = memory if least is None else least
            print(f"{name:8s}{size:9,d}{seconds:9.1f}{size / seconds:12.0f}{memory:7.2f}{memory - least:21.2f}",
                  flush=True)  # fmt: skip
    words = f"photoz infer model --catalog galaxies_{n}.parquet --frames frames.parquet --out {{out}} --quiet"
    seconds, memory = timed(words.format(out="undisturbed.parquet"), "undisturbed.parquet")
    print(f"{'frames -> PDFs':17s}{seconds:9.1f}{n / seconds:12.0f}{memory:7.2f}", flush=True)
    expected = Table.read("undisturbed.parquet")
    has_failed = False
    for name, more in (("killed", ""), ("killed_beam", f" --runner {options.runner}")):
        out = f"{name}.parquet"
        moments = kill_and_resume(words.format(out=out) + more, out, options.kills, seconds)
        found = Table.read(out)
        same = all(np.array_equal(found[column], expected[column]) if found[column].dtype.kind in "SUO" else
                   np.array_equal(found[column], expected[column], equal_nan=True)
                   for column in expected.colnames) and found.colnames == expected.colnames  # fmt: skip
        has_failed |= not same
        print(f"{name}: SIGKILL after {', '.join(f'{moment:.0f}' for moment in moments)} s, then resumed: "
              f"{'the same output row for row' if same else 'OTHER OUTPUT'}", flush=True)  # fmt: skip
    sys.exit(has_failed)


def make_survey(n_targets, n_fields):
    """Frames in three bands and the catalogue of their galaxies, in random order."""
    rng = np.random.default_rng(1)
    columns = int(np.ceil(np.sqrt(n_fields)))
    corner = np.array([[field % columns, field // columns] for field in range(n_fields)])
    field = rng.integers(0, n_fields, n_targets)
    step = STEP * SCALE
    position = (corner[field] + rng.uniform(-0.5, 0.5, (n_targets, 2))) * step  # [deg]
    dec = DEC + position[:, 1]
    ra = RA + position[:, 0] / np.cos(np.radians(DEC + corner[field][:, 1] * step))
    z = rng.uniform(0.02, 0.38, n_targets)
    mag_r = rng.uniform(17, 19.5, n_targets)
    mags = np.stack([mag_r + 0.4 + 2.5 * z, mag_r, mag_r - 0.2 - 0.8 * z], axis=1)
    flux = 10 ** (0.4 * (22.5 - mags))
    width = rng.uniform(1.2, 2.5, n_targets)  # [pixel]
    Path("frames").mkdir(exist_ok=True)
    for number in range(n_fields):
        center_dec = DEC + corner[number][1] * step
        center_ra = RA + corner[number][0] * step / np.cos(np.radians(center_dec))
        offsets = position - corner[number] * step
        near = np.flatnonzero(np.all(np.abs(offsets) < step, axis=1))
        x, y = tan_pixels(ra[near], dec[near], center_ra, center_dec)
        for b, band in enumerate(BANDS):
            image = rng.normal(0, NOISE, (SIDE, SIDE)).astype(np.float32)
            for galaxy, x0, y0 in zip(near, x, y):
                add_gaussian(image, x0, y0, width[galaxy], flux[galaxy, b])
            write_frame(Path("frames", f"image-{band}-{number:05d}.fits"), image, band, center_ra, center_dec)
    table = Table({"obj_id": np.arange(n_targets), "ra": ra, "dec": dec, "z_spec": z, "ebv": np.full(n_targets, 0.03)})
    table.write("galaxies.parquet")


def tan_pixels(ra, dec, ra0, dec0):
    """Pixel coordinates, from 0, in a frame with its centre at a position [deg]."""
    ra, dec, ra0, dec0 = map(np.radians, (ra, dec, ra0, dec0))
    cosine = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(ra - ra0)
    xi = np.cos(dec) * np.sin(ra - ra0) / cosine
    eta = (np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(ra - ra0)) / cosine
    return (SIDE - 1) / 2 - np.degrees(xi) / SCALE, (SIDE - 1) / 2 + np.degrees(eta) / SCALE


def add_gaussian(image, x, y, sigma, flux):
    """Add a round Gaussian, as far as it is in the image."""
    half = int(5 * sigma) + 1
    rows = slice(max(int(y) - half, 0), max(int(y) + half + 1, 0))
    columns = slice(max(int(x) - half, 0), max(int(x) + half + 1, 0))
    part = image[rows, columns]
    profile_y = np.exp(-0.5 * ((np.arange(part.shape[0]) + rows.start - y) / sigma) ** 2)
    profile_x = np.exp(-0.5 * ((np.arange(part.shape[1]) + columns.start - x) / sigma) ** 2)
    part += flux / (2 * np.pi * sigma**2) * np.outer(profile_y, profile_x)


def write_frame(path, image, band, ra, dec):
    """Write a frame with a TAN WCS, north up and east left."""
    hdu = fits.PrimaryHDU(image)
    cards = {"FILTER": band, "BUNIT": "nanomaggy", "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": ra}
    cards |= {"CRVAL2": dec, "CRPIX1": (SIDE + 1) / 2, "CRPIX2": (SIDE + 1) / 2, "CD1_1": -SCALE, "CD1_2": 0.0}
    hdu.header.update(cards | {"CD2_1": 0.0, "CD2_2": SCALE, "RADESYS": "ICRS"})
    hdu.writeto(path, overwrite=True)


def train():
    """Export of a tiny network trained on a few thousand of the galaxies."""
    if Path("model").exists():
        return
    Table.read("galaxies.parquet")[:N_TRAINING].write("training.parquet", overwrite=True)
    Path("tiny.yaml").write_text(CONFIG)
    for words in (
        "photoz stack training.parquet frames.parquet --survey survey.yaml --out training_stacks",
        "photoz build training_stacks --data-dir data --overwrite",
        "photoz train tiny.yaml --ensemble 1 --cv 1 --data-dir data --run-dir run",
        "photoz export run --out model",
    ):
        run(f"{words} --quiet")


def run(words):
    """Run a command to its end; what it says goes to the terminal."""
    subprocess.run(command(words), check=True)


def command(words):
    """Words of a command, as found beside this Python."""
    program, *arguments = words.split()
    return [str(Path(sys.executable).with_name(program)), *arguments]


def timed(words, out):
    """Seconds of a command that makes its output anew, and the peak memory of its processes together [GB]."""
    remove(out)
    start = time.perf_counter()
    process = subprocess.Popen(command(words))
    peak = [0.0]
    watcher = threading.Thread(target=watch_memory, args=(process, peak))
    watcher.start()
    if process.wait() != 0:
        sys.exit(f"failed: {words}")
    seconds = time.perf_counter() - start
    watcher.join()
    return seconds, peak[0]


def watch_memory(process, peak):
    """Keep the largest memory of a process and its descendants [GB]; pages they share count once."""
    while process.poll() is None:
        peak[0] = max(peak[0], sum(map(proportional_memory, family(process.pid))))
        time.sleep(0.3)


def family(pid):
    """Numbers of a process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(number for child in children for number in family(int(child)))]


def proportional_memory(pid):
    """Memory of a process [GB], a page shared by n processes counted as 1/n."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e6


def kill_and_resume(words, out, n_kills, seconds):
    """End a command n times at random moments, then let it finish; returns the moments [s] after each start."""
    remove(out)
    moments = [random.Random(number).uniform(2, 2 + 2 * seconds / (n_kills + 1)) for number in range(n_kills)]
    for moment in moments:
        process = subprocess.Popen(command(words), start_new_session=True)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    run(words)
    return moments


def remove(out):
    """Remove the output of an earlier run, and its parts."""
    for path in (*Path().glob(f"{out}*"), *Path().glob(f"{Path(out).stem}_stacks*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    main()
