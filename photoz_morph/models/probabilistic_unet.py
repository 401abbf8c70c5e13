"""The probabilistic U-Net (Kohl et al. 2018, arXiv 1806.05034): many images of a galaxy that may lie behind its blend.

A prior network turns the blend into a Gaussian of a few latents. A draw of them is laid over the maps of a U-Net, and
convolutions of 1x1 make of both an image of the central galaxy: one draw, one image, consistent over all its pixels.
In training a posterior network that also sees the true image says which latents that image needs, and the prior learns
to allow for them: the loss is minus the evidence lower bound, Eq. 4 of the paper with a Gaussian of each pixel for its
categories. Where the sigma of the pixels is fixed, it says how much of the difference is left to the latents; where it
is learnt, it is an output.

All randomness is an input, standard normal numbers that the caller draws for each galaxy from its own seed, so that
neither batches nor replicas nor an interruption change a result.
"""

import math

import keras
import numpy as np
from keras import layers, ops

from photoz_morph.models.layers.blocks import convolution, layer_seeds
from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.models.loss_terms import mean_loss
from photoz_morph.models.unet import check_size, feature_maps

SIGMA_BOUNDS = (1e-3, 1e2)  # of latents and pixels [scaled unit], so that no step leads to a sigma of 0
NETWORKS = ("unet", "prior", "posterior", "combiner")


def probabilistic_unet(
    image_shape=(48, 48, 3), n_latent=6, width=16, depth=4, n_combining=3, sigma=None, kl_weight=1.0,
    upsampling="transposed", seed=0, scaling=None,
):  # fmt: skip
    """Probabilistic U-Net for the image of a galaxy without its neighbours.

    Parameters
    ----------
    image_shape : tuple of int
        Rows, columns, bands; rows and columns may be None.
    n_latent : int
        Latents of an image; 6 in the paper.
    width, depth, upsampling
        As of `models.unet.unet`; prior and posterior have an encoder of the same levels.
    n_combining : int
        Convolutions of 1x1 that combine maps and latents; 3 in the paper.
    sigma : float, optional
        Of the pixels, in the scale of `scaling`; without, it is learnt for each pixel and band.
    kl_weight : float
        Factor of the divergence in the loss, beta of the paper.
    seed : int
        Of the weights.
    scaling : ArcsinhScaling, optional
        Turns images and true images into what the networks see, and their output back. Its softness decides where the
        Gaussian of a pixel is one of the flux and where of its logarithm.

    Returns
    -------
    ProbabilisticUNet
    """
    check_size(image_shape[:2], depth)
    seeds = layer_seeds(seed)
    n_bands = image_shape[-1]
    pixels = keras.Input(image_shape, name="pixels")
    maps = feature_maps(pixels, width, depth, upsampling, seeds)
    unet = keras.Model(pixels, maps, name="unet")
    prior = _gaussian(image_shape, n_latent, width, depth, seeds, "prior")
    posterior = _gaussian((*image_shape[:2], 2 * n_bands), n_latent, width, depth, seeds, "posterior")
    n_outputs = n_bands if sigma is not None else 2 * n_bands
    combiner = _combiner((*image_shape[:2], width + n_latent), width, n_combining, n_outputs, seeds)
    return ProbabilisticUNet(unet, prior, posterior, combiner, scaling, sigma, kl_weight, name="probabilistic_unet")


@keras.saving.register_keras_serializable("photoz_morph")
class ProbabilisticUNet(keras.Model):
    """A probabilistic U-Net, from the function of that name.

    `fit` takes {"image": (n, rows, columns, n_bands), "noise": (n, n_draws, n_latent)} and the true images. Logs:
    `loss`, `nll`, minus the mean log probability of a pixel and band over the draws, and `kl`, the divergence over the
    number of pixels and bands. `predict` takes {"image"} and gives `image` and `sigma` of the prior's mean latents;
    with "noise" also `samples` and `sample_sigmas` (n, n_draws, rows, columns, n_bands). All are in the unit of the
    image; samples are without the noise of sigma, which is independent from pixel to pixel.

    Parameters
    ----------
    unet, prior, posterior, combiner : keras.Model
        Pixels to maps; pixels, or those and true pixels, to mean and log sigma of the latents; maps and latents to
        pixels and, without `sigma`, log sigmas.
    scaling : ArcsinhScaling, optional
    sigma : float, optional
    kl_weight : float
        As of `probabilistic_unet`.

    Raises
    ------
    ValueError
        If the scaling has several domains or clips the pixels, so that an output could not be turned back.
    """

    def __init__(
        self, unet, prior, posterior, combiner, scaling=None, sigma=None, kl_weight=1.0, name="probabilistic_unet",
        **kwargs,
    ):  # fmt: skip
        super().__init__(name=name, dtype="float32", **kwargs)
        if scaling is not None and (scaling.clip or scaling.n_domains > 1):
            raise ValueError("the scaling of a probabilistic U-Net must be of one domain and not clip; use 'default'")
        self.unet, self.prior, self.posterior, self.combiner = unet, prior, posterior, combiner
        self.scaling, self.sigma, self.kl_weight = scaling, sigma, kl_weight
        self.n_latent = prior.output.shape[-1] // 2
        self.n_bands = combiner.output.shape[-1] // (1 if sigma is not None else 2)
        self.means = [keras.metrics.Mean(name=term) for term in ("nll", "kl")]
        self.supports_jit = keras.backend.backend() == "jax"  # XLA is slower on CPUs and fails on several replicas
        self.built = True

    def call(self, inputs, training=None):
        """Images of the prior; in training the maps and the prior, from which `compute_loss` goes on."""
        pixels = self._scaled(inputs["image"])
        maps, prior = self.unet(pixels, training=training), self.prior(pixels, training=training)
        if training:
            return {"maps": maps, "prior": prior}
        mean, log_sigma = _moments(prior)
        image, sigma = self._images(maps, mean[:, None])
        outputs = {"image": image[:, 0], "sigma": sigma[:, 0]}
        if "noise" in inputs:
            latents = mean[:, None] + ops.exp(log_sigma)[:, None] * inputs["noise"]
            outputs["samples"], outputs["sample_sigmas"] = self._images(maps, latents)
        return outputs

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if not training:
            pixels = self._scaled(x["image"])
            y_pred = {"maps": self.unet(pixels, training=False), "prior": self.prior(pixels, training=False)}
        terms = self.loss_terms(x, y, y_pred, training)
        return mean_loss(terms, {"nll": 1.0, "kl": self.kl_weight}, self.means, sample_weight)

    def loss_terms(self, inputs, truth, outputs, training=True):
        """Terms of the loss of each image, over its number of pixels and bands.

        Parameters
        ----------
        inputs : dict of str to tensor
            `image` and `noise`.
        truth : tensor, shape (n, rows, columns, n_bands)
            [image unit]
        outputs : dict of str to tensor
            `maps` and `prior`.
        training : bool

        Returns
        -------
        dict of str to tensor, shape (n,)
            `nll` and `kl`.
        """
        if "noise" not in inputs:
            raise ValueError("inputs have no 'noise': standard normal numbers (n, n_draws, n_latent) for the posterior")
        wanted = self._scaled(truth)
        both = ops.concatenate([self._scaled(inputs["image"]), wanted], axis=-1)
        mean, log_sigma = _moments(self.posterior(both, training=training))
        latents = mean[:, None] + ops.exp(log_sigma)[:, None] * inputs["noise"]
        pixels, sigma = self._pixels(outputs["maps"], latents, training)
        each = ops.square((wanted[:, None] - pixels) / sigma) / 2 + ops.log(sigma) + math.log(2 * math.pi) / 2
        n_values = ops.cast(ops.prod(ops.shape(wanted)[1:]), "float32")
        kl = gaussian_divergence(mean, log_sigma, *_moments(outputs["prior"]))
        return {"nll": ops.mean(each, axis=(1, 2, 3, 4)), "kl": kl / n_values}

    def _scaled(self, images):
        """Images as the networks see them."""
        images = ops.cast(images, "float32")
        return images if self.scaling is None else self.scaling(images)

    def _pixels(self, maps, latents, training=False):
        """Pixels and their sigmas [scaled unit] of each draw, shape (n, n_draws, rows, columns, n_bands)."""
        n, n_draws, n_latent = ops.shape(latents)
        rows, columns = ops.shape(maps)[1:3]
        shape = (n, n_draws, rows, columns)
        maps = ops.broadcast_to(ops.cast(maps, "float32")[:, None], (*shape, maps.shape[-1]))
        latents = ops.broadcast_to(latents[:, :, None, None], (*shape, n_latent))
        joined = ops.concatenate([maps, latents], axis=-1)
        joined = ops.reshape(joined, (n * n_draws, rows, columns, joined.shape[-1]))
        outputs = self.combiner(joined, training=training)
        outputs = ops.reshape(outputs, (*shape, outputs.shape[-1]))
        pixels = outputs[..., : self.n_bands]
        if self.sigma is not None:
            return pixels, ops.full_like(pixels, self.sigma)
        return pixels, ops.exp(ops.clip(outputs[..., self.n_bands :], *np.log(SIGMA_BOUNDS)))

    def _images(self, maps, latents):
        """Images and sigmas of each draw [image unit]; these are half the interval of one scaled sigma either way."""
        pixels, sigma = self._pixels(maps, latents)
        if self.scaling is None:
            return pixels, sigma
        low, image, high = (self.scaling(values, inverse=True) for values in (pixels - sigma, pixels, pixels + sigma))
        return image, (high - low) / 2

    def get_config(self):
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in NETWORKS}
        scaling = self.scaling and keras.saving.serialize_keras_object(self.scaling)
        return {**parts, "scaling": scaling, "sigma": self.sigma, "kl_weight": self.kl_weight, "name": self.name}

    @classmethod
    def from_config(cls, config):
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in NETWORKS}
        scaling = config["scaling"] and keras.saving.deserialize_keras_object(
            config["scaling"], custom_objects={"ArcsinhScaling": ArcsinhScaling}
        )
        return cls(**{**config, **parts, "scaling": scaling})


def gaussian_divergence(mean, log_sigma, other_mean, other_log_sigma):
    """Kullback-Leibler divergence of diagonal Gaussians from others.

    Parameters
    ----------
    mean, log_sigma, other_mean, other_log_sigma : tensor, shape (..., n_latent)

    Returns
    -------
    tensor, shape (...,)
        KL(Q || P), the sum over latents of ln(s_p / s_q) + (s_q^2 + (m_q - m_p)^2) / (2 s_p^2) - 1/2 [nat].
    """
    ratio = ops.exp(2 * (log_sigma - other_log_sigma))
    shift = ops.square(mean - other_mean) * ops.exp(-2 * other_log_sigma)
    return ops.sum((ratio + shift - 1) / 2 - log_sigma + other_log_sigma, axis=-1)


def _moments(outputs):
    """Mean and log sigma of the latents."""
    mean, log_sigma = ops.split(ops.cast(outputs, "float32"), 2, axis=-1)
    return mean, ops.clip(log_sigma, *np.log(SIGMA_BOUNDS))


def _gaussian(image_shape, n_latent, width, depth, seeds, name):
    """Network of an encoder as the U-Net's, the mean over its pixels, and the moments of the latents (Kohl et al.,
    Sec. 2). It has no batch norm: statistics of other images would be a noise of the latents."""
    pixels = maps = keras.Input(image_shape, name="pixels")
    for level in range(depth + 1):
        if level:
            maps = layers.AveragePooling2D(2, name=f"{name}_pool{level}")(maps)
        for number in (1, 2):
            label = f"{name}{level + 1}_conv{number}"
            maps = convolution(maps, width * 2**level, 3, next(seeds), label, bias=True)
            maps = layers.ReLU(name=f"{name}{level + 1}_relu{number}")(maps)
    features = layers.GlobalAveragePooling2D(name=f"{name}_mean")(maps)
    weights = keras.initializers.RandomNormal(0.0, 0.01, seed=next(seeds))
    moments = layers.Dense(2 * n_latent, kernel_initializer=weights, dtype="float32", name=f"{name}_moments")
    return keras.Model(pixels, moments(features), name=name)


def _combiner(shape, width, n_convolutions, n_outputs, seeds):
    """Convolutions of 1x1 of maps and latents, the last one linear."""
    joined = maps = keras.Input(shape, name="joined")
    for number in range(1, n_convolutions):
        maps = convolution(maps, width, 1, next(seeds), f"combine{number}", bias=True)
        maps = layers.ReLU(name=f"combine{number}_relu")(maps)
    weights = keras.initializers.GlorotUniform(seed=next(seeds))
    outputs = layers.Conv2D(n_outputs, 1, kernel_initializer=weights, dtype="float32", name=f"combine{n_convolutions}")
    return keras.Model(joined, outputs(maps), name="combiner")
