"""The networks, by name."""

from dataclasses import asdict

import keras

from photoz_morph.models import photometric_inputs
from photoz_morph.models.inception_photoz import inception_photoz

MODELS = {"inception_photoz": inception_photoz}
LAYERS = {name: getattr(photometric_inputs, name) for name in photometric_inputs.__all__}


def build_model(config, seed=0):
    """Network of a config.

    Parameters
    ----------
    config : PhotozConfig
    seed : int
        Of the weights.

    Returns
    -------
    keras.Model
    """
    options = asdict(config.model)
    return MODELS[options.pop("name")](survey=config.survey, n_bins=config.redshift.n_bins, seed=seed, **options)


def load_network(path, compile=False):
    """A saved network with our layers; with `compile` also its optimizer, to train on."""
    return keras.models.load_model(path, custom_objects=LAYERS, compile=compile)
