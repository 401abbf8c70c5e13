"""Seconds and memory of a build and of an inference in one process and on Beam's DirectRunner.

    python scripts/benchmarks/beam.py [number of galaxies] [folder]

Simulated stacks (5,000 by default, 0.4 GB) are built by `photoz build`, and a tiny network trained on them for one
epoch predicts them with `photoz infer`: without Beam, on DirectRunner in the process of the command and with two worker
processes. Each is a command of its own, with its imports: seconds by the clock, seconds on a core over all its
processes, the most memory of one of them, and all three relative to the command without Beam. The contents are
compared: the hash of the dataset, and the predictions byte for byte.

On one machine Beam gains nothing. With 1,000 galaxies on two cores that others used too, a build took 1.5 times the
core seconds on DirectRunner and 4.0 times with two workers, an inference 1.1 and 2.9 times, most of it start-up and
imports; the contents were the same.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from photoz_morph.training.quiet import quiet_tensorflow

WORKERS = ("direct_num_workers=2", "direct_running_mode=multi_processing")
FORMS = {
    "one process": (),
    "DirectRunner": ("--runner", "DirectRunner"),
    "two workers": ("--runner", "DirectRunner", *(word for option in WORKERS for word in ("--beam-option", option))),
}
TINY = (
    "model.crop=32", "model.conv1_filters=8", "model.dense_units=32", "model.blocks=[[4, 8], [8, 8]]",
    "model.pool_after=[1]", "train.epochs=1", "train.warmup_iterations=0", "data.n_validation=50",
)  # fmt: skip
COMMAND = "import sys; from photoz_morph.cli.photoz import main; main(sys.argv[1:])"
MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)
sys.exit(status)
"""


def main(n_galaxies, folder):
    """Make stacks and a network, build and infer in every form, print."""
    quiet_tensorflow()
    from photoz_morph.datasets.reading import content_hash, open_dataset

    with tempfile.TemporaryDirectory(dir=folder) as place:
        place = Path(place)
        stacks, data, model = place / "stacks", place / "data_0", place / "model"
        run("simulate", "--n-galaxies", n_galaxies, "--out", stacks, "--deep-fraction", 0)
        print(f"{n_galaxies:,} galaxies\n{'':22s}{'clock [s]':>10s}{'core [s]':>10s}{'memory [GB]':>13s}   relative")
        compare("build", lambda number: ("build", stacks, "--data-dir", place / f"data_{number}"))
        hashes = {content_hash(open_dataset(place / f"data_{number}")) for number in range(len(FORMS))}
        settings = [word for setting in TINY for word in ("--set", setting)]
        run("train", *settings, "--cv", 1, "--ensemble", 1, "--data-dir", data, "--run-dir", place / "run")
        run("export", place / "run", "--out", model)
        compare("infer", lambda number: ("infer", model, stacks, "--out", place / f"{number}.fits"))
        files = {(place / f"{number}.fits").read_bytes() for number in range(len(FORMS))}
        print(f"contents: {len(hashes)} hash of the datasets, {len(files)} content of the predictions")


def compare(what, words):
    """Run a command in every form and print what each took, and relative to the first."""
    first = None
    for number, (form, options) in enumerate(FORMS.items()):
        measured = run(*words(number), *options)
        first = first or measured
        relative = " ".join(f"{one / other:5.1f}" for one, other in zip(measured, first))
        clock, core, memory = measured
        print(f"{f'{what}, {form}':22s}{clock:10.1f}{core:10.1f}{memory:13.2f}  {relative}", flush=True)


def run(*words):
    """Clock and core seconds of a command, and the most memory of one of its processes [GB]."""
    command = [sys.executable, "-c", MEASURE, sys.executable, "-c", COMMAND, *map(str, words), "--quiet"]
    start = time.perf_counter()
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return time.perf_counter() - start, *map(float, output.split()[-2:])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000, sys.argv[2] if len(sys.argv) > 2 else None)
