"""The networks, by name."""

import inspect
import json
from dataclasses import asdict

import keras

from photoz_morph.models import photometric_inputs
from photoz_morph.models.convnet import convnet
from photoz_morph.models.deepmerge import deepmerge
from photoz_morph.models.domain_adaptation import DomainAdaptedClassifier
from photoz_morph.models.image_scaling import ArcsinhScaling
from photoz_morph.models.inception_photoz import inception_photoz
from photoz_morph.models.resnet18 import resnet18
from photoz_morph.models.test_time import MeanOfViews, MedianFilter, SquareViews

MODELS = {"inception_photoz": inception_photoz}
CLASSIFIERS = {"resnet18": resnet18, "convnet": convnet, "deepmerge": deepmerge}
LAYERS = {name: getattr(photometric_inputs, name) for name in photometric_inputs.__all__} | {
    "ArcsinhScaling": ArcsinhScaling,
    "DomainAdaptedClassifier": DomainAdaptedClassifier,
    "SquareViews": SquareViews,
    "MeanOfViews": MeanOfViews,
    "MedianFilter": MedianFilter,
}


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


def build_classifier(name, image_shape=(100, 100, 3), n_classes=3, seed=0, **options):
    """A morphology network.

    Parameters
    ----------
    name : {"resnet18", "convnet", "deepmerge"}
    image_shape : tuple of int
        Rows, columns, bands.
    n_classes : int
    seed : int
        Of weights and dropout.
    **options
        Of that network, `scaling` among them; None leaves its published value.

    Returns
    -------
    keras.Model
        {"image"} or {"image", "domain"} to {"logits", "latent"}.

    Raises
    ------
    ValueError
        If there is no such network, or it has no such option.
    """
    if name not in CLASSIFIERS:
        raise ValueError(f"model.name is {name!r}; there are {', '.join(CLASSIFIERS)}")
    options = {option: value for option, value in options.items() if value is not None}
    known = [option for option in inspect.signature(CLASSIFIERS[name]).parameters if option != "seed"]
    for option in options:
        if option not in known:
            raise ValueError(f"model.{option}: {name} has no such option; it has {', '.join(known)}")
    return CLASSIFIERS[name](tuple(image_shape), n_classes, seed=seed, **options)


def load_network(path, compile=False):
    """A saved network with our layers; with `compile` also its optimizer, to train on."""
    return keras.models.load_model(path, custom_objects=LAYERS, compile=compile)


def in_float32(network):
    """The network with the same weights, computing in float32 throughout whatever precision it was trained with.

    Parameters
    ----------
    network : keras.Model

    Returns
    -------
    keras.Model
        The network itself if it computes in float32.
    """
    saved = json.dumps(keras.saving.serialize_keras_object(network))
    if "mixed_bfloat16" not in saved:
        return network
    copy = keras.saving.deserialize_keras_object(
        json.loads(saved.replace("mixed_bfloat16", "float32")), custom_objects=LAYERS
    )
    copy.set_weights(network.get_weights())
    return copy
