"""PSF-matched photometry of the galaxies of a training, measured once and not again in each step.

The layer has no weights, and what it gives does not change when a stamp is flipped or rotated by right angles; but it
takes half the time of a training step of the default network. A network that is trained on stamps which change in no
other way gets these numbers as inputs, and its weights are saved in the network that measures.
"""

import keras

from photoz_morph.models.layers.psf_matched import MEASURED


def takes_photometry(model):
    """Whether a network is given its photometry."""
    return MEASURED[0] in getattr(model, "input", ())


def measured_photometry(network, batches):
    """Photometry of galaxies.

    Parameters
    ----------
    network : keras.Model
        That measures it.
    batches : tf.data.Dataset
        Of its inputs.

    Returns
    -------
    dict of str to ndarray, shape (n, ...)
        `psf_matched.MEASURED`, in the order of the galaxies.
    """
    layer = network.get_layer("psf_matched_photometry")
    return keras.Model(network.input, dict(zip(MEASURED, layer.output))).predict(batches, verbose=0)
