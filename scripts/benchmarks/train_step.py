"""Cost of a training step of the small network, and of the choices that make it small.

    python scripts/benchmarks/train_step.py

Prints, for each choice, processor seconds per galaxy (all cores added up, so that other work on the machine matters
less), and the ratio to the default config measured in the same rounds. Pixels are random: the time does not depend on
them. Ratios measured with an earlier default decided `crop`, `activation` and `precision` of configs/photoz_best.yaml.
"""

import time

from photoz_morph.training.quiet import quiet_tensorflow

quiet_tensorflow()  # with the convolutions of training and prediction

import numpy as np
import tensorflow as tf

from photoz_morph.config import load_config
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import new_network
from photoz_morph.surveys import SDSS

CHOICES = {
    "default (crop 32, ReLU, float32)": [],
    "crop 40": ["model.crop=40"],
    "crop 48": ["model.crop=48"],
    "PReLU": ["model.activation=prelu"],
    "pool after C1 instead of stride": ["model.conv1_stride=1", "model.conv1_pool=true"],
    "mixed_bfloat16": ["train.precision=mixed_bfloat16"],
    "batch 128": ["data.batch_size=128"],
}
GALAXIES = 1920  # per round and choice
ROUNDS = 4


def main():
    rng = np.random.default_rng(1)
    image = rng.normal(size=(256, *SDSS.image_shape)).astype(np.float32)
    ebv, target = np.full(256, 0.03, np.float32), np.eye(180, dtype=np.float32)[rng.integers(0, 180, 256)]
    steps = {}
    for name, overrides in CHOICES.items():
        config = load_config("photoz_simulated.yaml", PhotozConfig, overrides)
        size = config.data.batch_size
        batch = ({"image": image[:size], "ebv": ebv[:size]}, target[:size])
        batches = tf.data.Dataset.from_tensors(batch).repeat(GALAXIES // size)
        model = new_network(config, 1000, seed=1)
        model.fit(batches.take(2), verbose=0)  # traces the graph
        steps[name] = (model, batches)
    seconds = {name: [] for name in CHOICES}
    for _ in range(ROUNDS):
        for name, (model, batches) in steps.items():
            start = time.process_time()
            model.fit(batches, verbose=0, shuffle=False)
            seconds[name].append((time.process_time() - start) / GALAXIES)
    reference = np.median(seconds["default (crop 32, ReLU, float32)"])
    for name, values in seconds.items():
        median = np.median(values)
        print(f"{name:34s} {1e3 * median:6.2f} ms per galaxy   {median / reference:5.2f} x the default")


if __name__ == "__main__":
    main()
