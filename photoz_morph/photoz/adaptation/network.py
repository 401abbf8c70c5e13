"""A photo-z network in a training that adapts it, and back.

In training the network gives its latents, FC2, and the logits of its PDF. What is kept for use is a plain photo-z
network with the same weights.
"""

import keras
import numpy as np
from scipy.special import softmax

from photoz_morph.adaptation.adapted_classifier import DomainAdaptedClassifier
from photoz_morph.adaptation.losses import options_of
from photoz_morph.training.losses import pdf_loss

LATENT, PDF = "FC2", "redshift_pdf"


def adapted_network(network, config, steps_per_epoch, n_iterations, seed):
    """Training wrapper of a photo-z network, compiled.

    Parameters
    ----------
    network : keras.Model
        From `inception_photoz`, compiled. Its layers but the last are shared.
    config : PhotozConfig
    steps_per_epoch, n_iterations : int
        Length of an epoch and of the whole training.
    seed : int
        Of what the loss has of its own.

    Returns
    -------
    DomainAdaptedClassifier
        Of inputs to {"logits", "latent"}; `classifier` has the layer names of the network.

    Raises
    ------
    ValueError
        If the adaptation would have no weight in the whole training.
    """
    adaptation = config.adaptation
    warmup = round(adaptation.warmup_epochs * steps_per_epoch)
    if warmup >= n_iterations:
        raise ValueError(
            f"'adaptation.warmup_epochs' is {adaptation.warmup_epochs:g}, {warmup} of the {n_iterations} iterations, "
            f"so {adaptation.name} would have no weight; give fewer"
        )
    last = network.get_layer(PDF)
    # A softmax at the end would leave only logits with the rounding of the PDF, and none of improbable redshifts.
    linear = keras.layers.Dense(last.units, name=PDF, dtype="float32")
    outputs = {"logits": linear(last.input), "latent": network.get_layer(LATENT).output}
    linear.set_weights(last.get_weights())
    classifier = keras.Model(network.input, outputs, name=network.name)
    model = DomainAdaptedClassifier(
        classifier,
        losses=[(adaptation.name, adaptation.weight, options_of(adaptation.name, adaptation))],
        warmup_iterations=warmup,
        ramp_iterations=round(adaptation.ramp_epochs * steps_per_epoch),
        label_loss=pdf_loss(config.train.loss, from_logits=True),
        decay_all=True,  # as the optimizer of a training without adaptation does
        seed=seed,
    )
    model.compile(network.optimizer)
    return model


def pdf_of(outputs):
    """PDFs, shape (n, n_bins), of the outputs of a network in training: PDFs, or a dictionary with them or logits."""
    if not isinstance(outputs, dict):
        return outputs
    return outputs[PDF] if PDF in outputs else softmax(np.asarray(outputs["logits"], np.float32), axis=-1)
