"""Trained networks as functions that find the sources of images.

What is made of detections is the same for all networks:

- A source of a lower score than `detection.map_score` is in the table but owns no pixel.
- `of_maps` and `of_boxes` say which pixels are whose; where a network says nothing of pixels, it is the rule of the
  truth: they are of the brightest profile of `profiles`, if any exceeds one sigma of the noise.
- Fluxes are those of the profiles, fitted together, with what these leave over.

Of several U-Nets the maps are averaged before sources are looked for. Boxes of several other networks that overlap are
one source, see `ensembles`.
"""

import keras
import numpy as np
import tensorflow as tf
from astropy.table import Table
from keras import ops

from photoz_morph.blend.finding.of_boxes import joined_detections, sources_of_boxes
from photoz_morph.blend.finding.of_maps import mean_maps, sources_of_maps
from photoz_morph.blend.finding.profiles import brightest_detection, fit_profiles, fitted_fluxes
from photoz_morph.shards.blends import CLASS_NAMES


class SourceFinder:
    """Finds sources by the networks of one config.

    Parameters
    ----------
    networks : list of keras.Model
        One, or an ensemble.
    config : BlendConfig
        Of a network that finds sources.
    sigma : ndarray, shape (n_bands,)
        Noise of the sky [image unit].
    """

    def __init__(self, networks, config, sigma):
        self.networks, self.config, self.sigma = networks, config, np.asarray(sigma, float)
        self._functions = [compiled(network) for network in networks]

    def __call__(self, images):
        """Sources of a batch of images.

        Parameters
        ----------
        images : array, shape (n, height, width, n_bands)

        Returns
        -------
        list of (Table, ndarray)
            For each image the detections, with `predictions.COLUMNS` but `obj_id`, `number` and `kind`, from the
            highest score to the lowest, and the map of their pixels.
        """
        tensor = ops.convert_to_tensor(images)
        outputs = joined([function({"image": tensor}) for function in self._functions], self.config)
        return measured_sources(images, outputs, self.config, self.sigma)


def joined(outputs, config):
    """Outputs of several networks as those of one.

    Parameters
    ----------
    outputs : list
        Of each network.
    config : BlendConfig

    Returns
    -------
    dict of str to tensor, shape (n, ...)
        The mean maps of U-Nets, or the detections of others side by side.
    """
    return mean_maps(outputs) if config.network == "unet" else joined_detections(outputs, config)


def measured_sources(images, outputs, config, sigma, light=None):
    """Sources of a batch of images, with pixels where the network gives none, and fluxes.

    Parameters
    ----------
    images : array, shape (n, height, width, n_bands)
        In the bands of the networks.
    outputs : dict of str to tensor
        From `joined`.
    config : BlendConfig
    sigma : ndarray, shape (n_bands,)
        Noise of the sky in these bands [image unit].
    light : array, shape (n, height, width, n), optional
        Images in which fluxes are measured, perhaps of more bands; by default the same.

    Returns
    -------
    list of (Table, ndarray)
        As from `SourceFinder`.
    """
    find = sources_of_maps if config.network == "unet" else sources_of_boxes
    found, least = find(outputs, config, images.shape[1:3]), config.option("detection.map_score")
    light = images if light is None else light
    return [_measured(np.asarray(image, np.float32), np.asarray(own, np.float32), sources, sigma, least)
            for image, own, sources in zip(images, light, found)]  # fmt: skip


def _measured(image, light, sources, sigma, least):
    """Table and map of the sources of an image."""
    centres, boxes, scores = (np.asarray(sources[name], float) for name in ("centres", "boxes", "scores"))
    boxes = np.clip(boxes, -0.5, np.array(image.shape[:2] * 2) - 0.5)  # as those of the truth
    is_sure = scores >= least
    profiles = fit_profiles(image, sigma, centres, boxes)
    owners = sources["owners"]
    if owners is None:
        owners = np.append(0, np.flatnonzero(is_sure) + 1)[brightest_detection(profiles.of(is_sure))]
    probability = np.asarray(sources["probabilities"], float)
    probability = probability / probability.sum(axis=1, keepdims=True)
    table = Table({
        "y": centres[:, 0].astype(np.float32),
        "x": centres[:, 1].astype(np.float32),
        "box": boxes.astype(np.float32),
        "score": scores.astype(np.float32),
        "probability": probability.reshape(-1, len(CLASS_NAMES)),
        "flux": fitted_fluxes(light, profiles, is_sure).astype(np.float32),
        "n_visible": np.bincount(owners.ravel(), minlength=len(scores) + 1)[1:].astype(np.int32),
    })  # fmt: skip
    return table, owners.astype(np.int16)


def compiled(network):
    """A network as a function of inputs, in TensorFlow compiled for one device whatever strategy trained it."""
    if keras.backend.backend() == "tensorflow":
        return tf.function(lambda inputs: network(inputs, training=False), reduce_retracing=True)
    return network.predict_on_batch
