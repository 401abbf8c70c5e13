"""Networks for backward rules, the inputs they take, and NumPy in float64 of what the rules do with small ones."""

import keras
import numpy as np
from keras import layers

from photoz_morph.explain import targets
from photoz_morph.models.inception_photoz import inception_photoz
from photoz_morph.models.layers.domain_batch_norm import with_domain_batch_norm
from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.models.registry import build_classifier

TINY = {"n_bins": 12, "conv1_filters": 3, "blocks": ((2, 3), (2, 3)), "pool_after": (1,), "dense_units": 8, "crop": 12}
POSITIONS = np.linspace(0.02, 0.4, 12)
NETWORKS = {
    "inception": {},
    "inception of photometry": {"photometric_inputs": True, "dense_activation": "gelu", "photometric_layers": 1},
    "inception of PSF-matched photometry": {
        "photometric_inputs": True, "apertures": "psf_matched", "observing": ("psf_fwhm",), "blocks": (),
        "pool_after": (), "photometric_layers": 1,
    },
    "inception with batch norm and max pooling": {
        "activation": "relu", "batch_norm": True, "pooling": "max", "compression": "asinh",
        "band_subsets": (("u", "g"),), "blocks": ((2, 3),), "pool_after": (),
    },
    "resnet18": {}, "resnet18 of two domains": {}, "convnet": {}, "deepmerge": {},
}  # fmt: skip


def network_of(name):
    """A network with random weights, its target, two galaxies, and a reference without light or dust."""
    rng = np.random.default_rng(5)
    if name.startswith("inception"):
        network = with_few_iterations(inception_photoz(**{**TINY, **NETWORKS[name]}))
        y, x = np.indices((64, 64)) - 31.5
        galaxy = np.exp(-(x**2 + y**2 / 2) / 18)[..., None] * [0.3, 0.8, 1.5, 2.0, 2.2]
        image = galaxy * [[[[1.0]]], [[[2.0]]]] + rng.normal(0, 0.03, (2, 64, 64, 5))
        inputs = {"image": image.astype("float32"), "ebv": np.array([0.05, 0.12], "float32")}
        if NETWORKS[name].get("observing"):
            inputs["psf_fwhm"] = np.array([[np.nan] * 5, [1.4, 1.3, 1.2, 1.2, 1.1]], "float32")
        target = targets.pdf_mean(POSITIONS)
    else:
        of_domains = name.endswith("two domains")
        side = 75 if name == "deepmerge" else 24
        scaling = ArcsinhScaling(n_domains=2 if of_domains else 1, clip=of_domains)
        scaling.set_quantiles([[-1.0, 3.0]] * scaling.n_domains)
        network = build_classifier(name.split()[0], (side, side, 3), 3, width=2, scaling=scaling)
        network = with_domain_batch_norm(network) if of_domains else network
        inputs = {"image": rng.normal(size=(2, side, side, 3)).astype("float32")}
        if of_domains:
            inputs["domain"] = np.array([0, 1], "int32")
        target = targets.class_logit(1)
    randomise(network, rng)
    dark = {key: values if key in ("domain", "psf_fwhm") else np.zeros_like(values) for key, values in inputs.items()}
    return network, target, inputs, dark


def with_few_iterations(network):
    """The network with two iterations of its adaptive moments, of which ten take long to compile."""

    def cloned(layer):
        changed = {"n_iterations": 2} if "n_iterations" in (config := layer.get_config()) else {}
        return layer.__class__.from_config(config | changed)

    return keras.models.clone_model(network, clone_function=cloned)


def randomise(network, rng):
    """Give trainable weights and moments a scatter of 0.1, so that biases and slopes are not all alike."""
    for variable in network.weights:
        if variable.trainable or "moving_mean" in variable.path:
            variable.assign(variable + rng.normal(0, 0.1, variable.shape).astype("float32"))


def total_of(contributions):
    """Sum over all inputs of each galaxy."""
    parts = contributions.values() if isinstance(contributions, dict) else [contributions]
    return sum(np.asarray(part, float).reshape(len(part), -1).sum(axis=1) for part in parts)


def two_layers(seed=0, activations=("relu", "relu"), bias=True):
    """Dense network of 6 values, 5 hidden units and 3 outputs, with its kernels and biases in float64."""
    rng = np.random.default_rng(seed)
    x = keras.Input((6,))
    first, second = layers.Dense(5, activations[0], name="first"), layers.Dense(3, activations[1], name="second")
    network = keras.Model(x, second(first(x)))
    weights = [rng.normal(size=(6, 5)), rng.normal(size=5) * bias, rng.normal(size=(5, 3)), rng.normal(size=3) * bias]
    network.set_weights([values.astype("float32") for values in weights])
    return network, weights


def unit_target(index):
    """Target of an output of shape (n, k)."""
    return lambda output, galaxies: output[:, index]
