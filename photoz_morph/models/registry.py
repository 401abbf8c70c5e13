"""Networks by name."""

import inspect
from contextlib import contextmanager
from dataclasses import asdict

import keras

from photoz_morph.models.convnet import convnet
from photoz_morph.models.deepmerge import deepmerge
from photoz_morph.models.inception_photoz import inception_photoz
from photoz_morph.models.resnet18 import resnet18

MODELS = {"inception_photoz": inception_photoz}
CLASSIFIERS = {"resnet18": resnet18, "convnet": convnet, "deepmerge": deepmerge}


def build_model(config, seed=0):
    """Build the network of a photo-z config.

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
    """Build a morphology network.

    Parameters
    ----------
    name : {"resnet18", "convnet", "deepmerge"}
    image_shape : tuple of int
        Rows, columns, bands.
    n_classes : int
    seed : int
        Of weights and dropout.
    **options
        Arguments of that network, such as `scaling`; None is its published value.

    Returns
    -------
    keras.Model
        {"image"} or {"image", "domain"} to {"logits", "latent"}.

    Raises
    ------
    ValueError
        If there is no such network or option.
    """
    if name not in CLASSIFIERS:
        raise ValueError(f"model.name is {name!r}; there are {', '.join(CLASSIFIERS)}")
    options = {option: value for option, value in options.items() if value is not None}
    known = [option for option in inspect.signature(CLASSIFIERS[name]).parameters if option != "seed"]
    for option in options:
        if option not in known:
            raise ValueError(f"model.{option}: {name} has no such option; it has {', '.join(known)}")
    return CLASSIFIERS[name](tuple(image_shape), n_classes, seed=seed, **options)


@contextmanager
def layer_precision(policy):
    """Precision of the layers that are made inside the `with` block.

    Parameters
    ----------
    policy : {"float32", "mixed_bfloat16"}
    """
    default = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(default)
