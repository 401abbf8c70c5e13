"""Cost of a training step with MMD against the same step without, and of the networks' widths.

    python scripts/benchmarks/morph_step.py [--widths 16,32,64] [--rounds 5]

For each width of ResNet18 and each precision, 32 source and 32 target images of 100 x 100 x 3: images (of both
domains) per second of wall clock and per processor second, and the ratio of the two steps, measured in turns in the
same rounds. Processor seconds add up all cores, so other work on the machine matters less. Pixels are random: the
time does not depend on them.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.models.registry import build_classifier

BATCH = 32  # of each domain
STEPS = 4  # per round and choice


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--widths", default="16,32,64")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    source, target = rng.normal(size=(2, BATCH, 100, 100, 3)).astype(np.float32)
    images, labels = {"source": source, "target": target}, rng.integers(0, 3, BATCH)
    print(f"{'width  precision':24s} {'images/s':>9s} {'per CPU s':>10s}   MMD step / plain step, wall and CPU")
    for width in map(int, arguments.widths.split(",")):
        for precision in ("float32", "mixed_bfloat16"):
            models = [wrapped(width, precision, weight) for weight in (0.0, 0.05)]
            for model in models:
                model.train_on_batch(images, labels)  # traces the graph
            rounds = range(arguments.rounds)
            seconds = np.array([[step_seconds(model, images, labels) for model in models] for _ in rounds])
            wall, processor = np.median(seconds[:, 1] / seconds[:, 0], axis=0)
            speed = 2 * BATCH / np.median(seconds[:, 1], axis=0)
            name = f"{width:5d}  {precision}"
            print(f"{name:24s} {speed[0]:9.1f} {speed[1]:10.1f}   {wall:.3f}  {processor:.3f}", flush=True)


def wrapped(width, precision, mmd_weight):
    """Compiled classifier, ready to train."""
    keras.config.set_dtype_policy(precision)
    scaling = ArcsinhScaling()
    scaling.set_quantiles([-1.0, 3.0])
    network = build_classifier("resnet18", seed=1, width=width, scaling=scaling)
    keras.config.set_dtype_policy("float32")
    model = DomainAdaptedClassifier(network, [("mmd", mmd_weight, {})])
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
