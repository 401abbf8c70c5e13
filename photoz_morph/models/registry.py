"""Networks by name."""

import inspect
from contextlib import contextmanager
from dataclasses import asdict

import keras

from photoz_morph.models.convnet import convnet
from photoz_morph.models.deepmerge import deepmerge
from photoz_morph.models.fields.regressor import field_regressor
from photoz_morph.models.fields.restorer import field_unet
from photoz_morph.models.grid_detector import grid_detector
from photoz_morph.models.inception_photoz import inception_photoz
from photoz_morph.models.probabilistic_unet import probabilistic_unet
from photoz_morph.models.region_cnn import SETTINGS, faster_rcnn, mask_rcnn
from photoz_morph.models.resnet18 import resnet18
from photoz_morph.models.unet import unet

MODELS = {"inception_photoz": inception_photoz}
CLASSIFIERS = {"resnet18": resnet18, "convnet": convnet, "deepmerge": deepmerge}
FIELD_NETWORKS = {
    "unet": unet,
    "grid_detector": grid_detector,
    "faster_rcnn": faster_rcnn,
    "mask_rcnn": mask_rcnn,
    "probabilistic_unet": probabilistic_unet,
    "field_regressor": field_regressor,
    "field_unet": field_unet,
}


def build_model(config, seed=0, is_measured=False):
    """Build the network of a photo-z config.

    Parameters
    ----------
    config : PhotozConfig
    seed : int
        Of the weights.
    is_measured : bool
        Whether PSF-matched photometry is given and not measured, see `inception_photoz`.

    Returns
    -------
    keras.Model
    """
    options = asdict(config.model)
    options |= {"survey": config.survey, "n_bins": config.redshift.n_bins, "is_measured": is_measured, "seed": seed}
    return MODELS[options.pop("name")](**options)


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
    return _built(CLASSIFIERS, name, (tuple(image_shape), n_classes), seed, options)


def build_field_network(name, image_shape=(128, 128, 3), seed=0, **options):
    """Build a network for images: one that segments, detects, deblends, or gives maps or parameters.

    Parameters
    ----------
    name : str
        Key of `FIELD_NETWORKS`.
    image_shape : tuple of int
        Rows, columns, bands.
    seed : int
        Of the weights.
    **options
        Arguments of that network, such as `width`; None is its default.

    Returns
    -------
    keras.Model
        {"image"}, of a probabilistic U-Net also "noise", to the outputs of that network.

    Raises
    ------
    ValueError
        If there is no such network or option.
    """
    return _built(FIELD_NETWORKS, name, (tuple(image_shape),), seed, options)


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


def _built(networks, name, arguments, seed, options):
    """Network of a name, with those options that are not None."""
    if name not in networks:
        raise ValueError(f"model.name is {name!r}; there are {', '.join(networks)}")
    options = {option: value for option, value in options.items() if value is not None}
    known = _options(networks[name])
    for option in options:
        if option not in known:
            raise ValueError(f"model.{option}: {name} has no such option; it has {', '.join(known)}")
    return networks[name](*arguments, seed=seed, **options)


def _options(network):
    """Names of the options of a network, with those that it hands on to its model."""
    parameters = inspect.signature(network).parameters
    names = [name for name, parameter in parameters.items() if parameter.kind is not parameter.VAR_KEYWORD]
    if len(names) < len(parameters):
        names += [name for name in SETTINGS if name not in names]
    return [name for name in names if name != "seed"]
