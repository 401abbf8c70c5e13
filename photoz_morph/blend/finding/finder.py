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

from photoz_morph.blend.finding.of_boxes import sources_of_boxes
from photoz_morph.blend.finding.of_maps import sources_of_maps
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
        self._sources = sources_of_maps if config.network == "unet" else sources_of_boxes

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
        outputs = [function({"image": tensor}) for function in self._functions]
        found = self._sources(outputs, self.config, images.shape[1:3])
        return [self._measured(np.asarray(image, np.float32), sources) for image, sources in zip(images, found)]

    def _measured(self, image, sources):
        """Table and map of the sources of an image, with pixels where the network gives none, and fluxes."""
        centres, boxes, scores = (np.asarray(sources[name], float) for name in ("centres", "boxes", "scores"))
        boxes = np.clip(boxes, -0.5, np.array(image.shape[:2] * 2) - 0.5)  # as those of the truth
        is_sure = scores >= self.config.option("detection.map_score")
        profiles = fit_profiles(image, self.sigma, centres, boxes)
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
            "flux": fitted_fluxes(image, profiles, is_sure).astype(np.float32),
            "n_visible": np.bincount(owners.ravel(), minlength=len(scores) + 1)[1:].astype(np.int32),
        })  # fmt: skip
        return table, owners.astype(np.int16)


def compiled(network):
    """A network as a function of inputs, in TensorFlow compiled for one device whatever strategy trained it."""
    if keras.backend.backend() == "tensorflow":
        return tf.function(lambda inputs: network(inputs, training=False), reduce_retracing=True)
    return network.predict_on_batch
