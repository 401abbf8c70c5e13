"""Occlusion sensitivity of test galaxies at stride 2, against the plain forward pass of the same network.

    python scripts/benchmarks/occlusion.py RUN [--data-dir DATA] [--galaxies 100] [--size 5] [--stride 2] [--batch 256]

RUN is a photo-z run; the first network of its first fold is explained on test galaxies of that fold, in float32, the
target the mean of its PDF, the patch filled with the sky without the galaxy. A stamp of 64 x 64 pixels at stride 2 has
32 x 32 places, so 100 galaxies are 102,400 passes. The plain rate is that of the same compiled target on stamps that
lie ready in memory, in batches of the same size. Both are measured in turns, galaxy by galaxy, in one process; the
ratio is the median over the turns. Wall seconds depend on the machine and its load, the ratio hardly.
"""

import argparse
import time

from photoz_morph.training.quiet import quiet_tensorflow

quiet_tensorflow()  # with the convolutions of training and prediction

import numpy as np

from photoz_morph.explain.gradients import Score
from photoz_morph.explain.occlusion.patches import occlusion
from photoz_morph.explain.sky import baseline
from photoz_morph.explain.targets import pdf_mean
from photoz_morph.models.loading import in_float32, load_network
from photoz_morph.photoz import dataset
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.splits import open_run_dataset
from photoz_morph.runs.folder import finished_members, read_run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--data-dir")
    parser.add_argument("--galaxies", type=int, default=100)
    parser.add_argument("--size", type=int, default=5)
    parser.add_argument("--stride", type=int, default=2)
    parser.add_argument("--batch", type=int, default=256)
    arguments = parser.parse_args()
    config, trained_on = read_run(arguments.run, PhotozConfig)
    builder = open_run_dataset(config, trained_on, arguments.data_dir)
    fold, paths = next(iter(finished_members(arguments.run, PhotozConfig).items()))
    score = Score(in_float32(load_network(paths[0])), pdf_mean(config.redshift.midpoints), arguments.batch)
    inputs = galaxies(builder, fold, arguments.galaxies, config.model.observing)
    filling = baseline(inputs)
    plain = score.compiled(lambda value, inputs, galaxies: value(inputs, galaxies))
    ready = next(score.batches({name: np.resize(v, (arguments.batch, *v.shape[1:])) for name, v in inputs.items()}))

    def occlude(galaxy):
        own, sky = ({name: values[galaxy : galaxy + 1] for name, values in part.items()} for part in (inputs, filling))
        return occlusion(score, own, sky, arguments.size, arguments.stride)

    n_places = occlude(0).size
    n_batches = max(1, round(n_places / arguments.batch))
    plain(*ready)
    ratios, seconds, plain_rates = [], 0.0, []
    for galaxy in range(arguments.galaxies):
        start = time.perf_counter()
        for _ in range(n_batches):
            np.asarray(plain(*ready))
        middle = time.perf_counter()
        occlude(galaxy)
        took = time.perf_counter() - middle
        plain_rate, rate = n_batches * arguments.batch / (middle - start), n_places / took
        plain_rates.append(plain_rate)
        ratios.append(rate / plain_rate)
        seconds += took
    middle, low, high = np.percentile(ratios, [50, 16, 84])
    print(
        f"{arguments.galaxies} galaxies, {n_places} places of a patch of {arguments.size} pixels at stride "
        f"{arguments.stride}, batches of {arguments.batch}: {seconds:.1f} s, "
        f"{arguments.galaxies * n_places / seconds:.0f} stamps/s; plain {np.median(plain_rates):.0f} stamps/s; "
        f"ratio {middle:.2f} ({low:.2f} to {high:.2f})"
    )


def galaxies(builder, fold, count, observing):
    """Inputs of the first test galaxies of a fold."""
    parts, found = [], 0
    for batch in dataset.image_batches(builder, f"fold_{fold}", 64, observing=observing).as_numpy_iterator():
        parts.append(batch)
        found += len(batch["image"])
        if found >= count:
            break
    return {name: np.concatenate([part[name] for part in parts])[:count] for name in parts[0]}


if __name__ == "__main__":
    main()
