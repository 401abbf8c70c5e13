"""Cost of a training step with an adaptation loss against the same step without, and of the networks' widths.

    python scripts/benchmarks/morph_step.py [--network resnet18] [--widths 16,64] [--losses mmd] [--rounds 5]

For each width of ResNet18, or for another network, in each precision and with each loss (`--losses all` for all of
them), 32 source and 32 target images of 100 x 100 x 3: images (of both domains) per second of wall clock and per
processor second, and the ratio of the two steps, measured in turns in the same rounds, with the range of its middle
half. Processor seconds add up all cores, so other work on the machine matters less. Pixels are random: the time does
not depend on them.
"""

import argparse
import time

from photoz_morph.training.quiet import quiet_tensorflow

quiet_tensorflow()  # as in training, with its convolutions

import keras
import numpy as np

from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
from photoz_morph.adaptation.losses import LOSSES
from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.models.registry import build_classifier

BATCH = 32  # of each domain
STEPS = 4  # per round and choice


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--widths", default="16,32,64")
    parser.add_argument("--precisions", default="float32,mixed_bfloat16")
    parser.add_argument("--losses", default="mmd")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    source, target = rng.normal(size=(2, BATCH, 100, 100, 3)).astype(np.float32)
    images, labels = {"source": source, "target": target}, rng.integers(0, 3, BATCH)
    names = [*LOSSES] if arguments.losses == "all" else arguments.losses.split(",")
    widths = [int(width) for width in arguments.widths.split(",")] if arguments.network == "resnet18" else [None]
    print(f"{'width  precision       loss':38s} {'images/s':>9s} {'per CPU s':>10s}   wall and CPU time / plain step")
    for width in widths:
        for precision in arguments.precisions.split(","):
            models = [wrapped(arguments.network, width, precision, losses) for losses in ([], *([n] for n in names))]
            for model in models:
                model.train_on_batch(images, labels)  # traces the graph
            rounds = range(arguments.rounds)
            seconds = np.array([[step_seconds(model, images, labels) for model in models] for _ in rounds])
            for index, name in enumerate(names, 1):
                ratios = seconds[:, index] / seconds[:, 0]
                quartiles = np.percentile(ratios, (25, 50, 75), axis=0).T
                wall, processor = (f"{b:.3f} ({a:.3f} to {c:.3f})" for a, b, c in quartiles)
                speed = 2 * BATCH / np.median(seconds[:, index], axis=0)
                row = f"{width or '':>5}  {precision:14s}  {name}"
                print(f"{row:38s} {speed[0]:9.1f} {speed[1]:10.1f}   {wall}  {processor}", flush=True)


def wrapped(name, width, precision, losses):
    """Compiled classifier, ready to train."""
    keras.config.set_dtype_policy(precision)
    scaling = ArcsinhScaling()
    scaling.set_quantiles([-1.0, 3.0])
    network = build_classifier(name, seed=1, scaling=scaling, **({"width": width} if width else {}))
    keras.config.set_dtype_policy("float32")
    model = DomainAdaptedClassifier(network, [(loss, 0.05, {}) for loss in losses])
    model.compile(keras.optimizers.AdamW(1e-4))
    return model


def step_seconds(model, images, labels):
    """Wall-clock and processor seconds of one step."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(STEPS):
        model.train_on_batch(images, labels)
    return (time.perf_counter() - wall) / STEPS, (time.process_time() - processor) / STEPS


if __name__ == "__main__":
    main()
