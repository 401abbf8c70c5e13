"""Trained classifiers as functions of images."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from photoz_morph.models.layers.active_dropout import with_active_dropout
from photoz_morph.models.layers.defences import defended
from photoz_morph.models.loading import in_float32, load_members
from photoz_morph.morph.config import MorphConfig
from photoz_morph.runs.folder import finished_members, read_run


def load_classifiers(run_dir, defence=None, float32=False, active_dropout=False):
    """Load the finished networks of a run, each behind its test-time defence.

    Parameters
    ----------
    run_dir : path-like
    defence : {"none", "d4", "median"}, optional
        By default, that of the run's config.
    float32 : bool
        Whether networks trained in mixed precision compute in float32.
    active_dropout : bool
        Whether dropout stays on, with other units in every call.

    Returns
    -------
    list of keras.Model
        In the order of the seeds; see `models.layers.defences.defended`.

    Raises
    ------
    ValueError
        With `active_dropout`, if the networks have no dropout.
    """
    config, _ = read_run(run_dir, MorphConfig)
    paths = finished_members(run_dir, MorphConfig)[0]
    networks = [in_float32(network) if float32 else network for network in load_members(paths)]
    if active_dropout:
        try:
            networks = [with_active_dropout(network) for network in networks]
        except ValueError as error:
            raise ValueError(f"{run_dir}: {error}") from error
    return [defended(network, defence or config.defence.test_time) for network in networks]


class ImageClassifier:
    """A network compiled to classify images, in TensorFlow on one device whatever strategy trained it.

    Parameters
    ----------
    network : keras.Model
    """

    def __init__(self, network):
        self.network, self._outputs = network, network.predict_on_batch
        if keras.backend.backend() == "tensorflow":  # whose predict_on_batch gives each replica the whole batch
            self._outputs = tf.function(lambda inputs: network(inputs, training=False), reduce_retracing=True)

    def __call__(self, batches, domain=0, on_batch=None):
        """Probabilities and latents of images.

        Parameters
        ----------
        batches : iterable of tensor, shape (batch_size, size, size, n_bands)
        domain : int
            0 for Y10, 1 for Y1; used only by networks with a scaling for each domain.
        on_batch : callable, optional
            Called with the number of images after each batch.

        Returns
        -------
        probability : ndarray, shape (n, n_classes)
        latent : ndarray, shape (n, n_latent)
        """
        probability, latent = [], []
        for images in batches:
            outputs = self._outputs(network_inputs(self.network, ops.convert_to_tensor(images), domain))
            probability.append(ops.convert_to_numpy(ops.softmax(outputs["logits"])))
            latent.append(ops.convert_to_numpy(outputs["latent"]))
            if on_batch:
                on_batch(len(latent[-1]))
        return np.concatenate(probability), np.concatenate(latent)


def network_inputs(network, images, domain=0):
    """Inputs of a network: images, and the index of their domain if it has a scaling for each."""
    if "domain" not in network.input:
        return {"image": images}
    return {"image": images, "domain": ops.full((ops.shape(images)[0],), domain, dtype="int32")}
