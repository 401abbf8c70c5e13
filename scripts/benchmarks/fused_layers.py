"""Training step of the morphology networks with our batch norm and arcsinh against Keras's own, in turns.

    python scripts/benchmarks/fused_layers.py [--networks resnet18,convnet] [--rounds 8]

32 source and 32 target images of 100 x 100 x 3 in float32, ResNet18 of width 16. Processor seconds a step, and the
ratio of ours to Keras's with the range of the middle half of the rounds: with the fused batch norm alone and with both.
"""

import argparse

from photoz_morph.training.quiet import quiet_tensorflow

quiet_tensorflow()

import keras
import numpy as np
from morph_step import BATCH, step_seconds, wrapped

from photoz_morph.models.layers import blocks, image_scaling

CHOICES = {  # batch norm, arcsinh
    "Keras's own": (keras.layers.BatchNormalization, keras.ops.arcsinh),
    "fused batch norm": (blocks.BatchNormalization, keras.ops.arcsinh),
    "and our arcsinh": (blocks.BatchNormalization, image_scaling.arcsinh),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", default="resnet18,convnet")
    parser.add_argument("--rounds", type=int, default=8)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    source, target = rng.normal(size=(2, BATCH, 100, 100, 3)).astype(np.float32)
    images, labels = {"source": source, "target": target}, rng.integers(0, 3, BATCH)
    for network in arguments.networks.split(","):
        models = []
        for norm, arcsinh in CHOICES.values():
            blocks.BatchNormalization, image_scaling.arcsinh = norm, arcsinh
            models.append(wrapped(network, 16 if network == "resnet18" else None, "float32", []))
            models[-1].train_on_batch(images, labels)  # traces the graph
        seconds = np.array([[step_seconds(m, images, labels)[1] for m in models] for _ in range(arguments.rounds)])
        for choice, own in zip(CHOICES, seconds.T):
            low, middle, high = np.percentile(own / seconds[:, 0], (25, 50, 75))
            ratio = f"{middle:.2f} ({low:.2f} to {high:.2f})"
            print(f"{network:9s} {choice:17s} {np.median(own):6.3f} s  {ratio}", flush=True)


if __name__ == "__main__":
    main()
