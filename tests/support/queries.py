"""Networks as after a training, and edits of their images, for tests of the queries."""

import keras
import numpy as np

from photoz_morph.models.layers.image_scaling import scaling_preset
from photoz_morph.models.registry import build_classifier
from photoz_morph.robustness.one_pixel.searches import Edits


def network_of(name="resnet18", preset="default", **options):
    scaling = scaling_preset(preset)
    scaling.set_quantiles([[-5.0, 40.0], [-8.0, 30.0]][: scaling.n_domains])
    network = build_classifier(name, (100, 100, 3), 3, seed=3, scaling=scaling, **options)
    rng = np.random.default_rng(5)
    for layer in network.layers:  # as after a training: no batch norm is the identity, and classes differ
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([rng.uniform(0.5, 2, gamma.shape), rng.normal(size=beta.shape),
                               rng.normal(size=mean.shape) / 10, rng.uniform(0.5, 2, variance.shape)])  # fmt: skip
        if isinstance(layer, keras.layers.Dense):
            layer.set_weights([weights + rng.normal(size=weights.shape) / 5 for weights in layer.get_weights()])
    return network


def some_edits(n=150):
    """Pixels everywhere, and on all borders."""
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 100, (n, 2))
    edge = np.array([0, 1, 2, 3, 96, 97, 98, 99])
    pixels[:64] = np.stack(np.meshgrid(edge, edge), axis=-1).reshape(-1, 2)
    return rng.integers(0, 3, n), Edits(pixels, rng.normal(0, 300, (n, 3)).astype(np.float32))


def some_sets(n_pixels, n=60):
    """Sets of pixels, a third of each kind: at the borders, close together, and anywhere; no pixel twice in a set."""
    rng = np.random.default_rng(4)
    edge, near, anywhere = np.array([*range(4), *range(96, 100)]), np.arange(46, 53), np.arange(100)
    pixels = []
    for number in range(n):
        side = (edge, near, anywhere)[number * 3 // n]
        flat = rng.choice(len(side) ** 2, n_pixels, replace=False)
        pixels.append(side[np.stack(np.divmod(flat, len(side)), axis=1)])
    return rng.integers(0, 3, n), Edits(np.array(pixels), rng.normal(0, 300, (n, n_pixels, 3)).astype(np.float32))
