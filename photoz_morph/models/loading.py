"""Load saved networks with the layers of this package."""

import json
import zipfile
import zlib

import keras

from photoz_morph.models.detection.losses import HeatMapLoss, KnownPixelsLoss
from photoz_morph.models.detection.yolo_loss import YoloLoss
from photoz_morph.models.fields.circular_padding import CircularPadding
from photoz_morph.models.fields.gaussian_parameters import GaussianLikelihood, GaussianParameters
from photoz_morph.models.fields.restorer import StandardisedField
from photoz_morph.models.grid_detector import GridPredictions
from photoz_morph.models.layers import photometric_inputs, psf_matched
from photoz_morph.models.layers.batch_norm import BatchNormalization
from photoz_morph.models.layers.defences import MeanOfViews, MedianFilter, SquareViews
from photoz_morph.models.layers.domain_batch_norm import DomainBatchNormalization
from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.models.layers.low_rank import LowRankConv2D, LowRankDense
from photoz_morph.models.layers.pixel_resampling import PixelResampling
from photoz_morph.models.layers.roi_align import RoIAlign
from photoz_morph.models.layers.unpooling import MaxPoolingWithIndices, MaxUnpooling
from photoz_morph.models.pixel_losses import ArcsinhError, PixelCrossEntropy
from photoz_morph.models.probabilistic_unet import ProbabilisticUNet
from photoz_morph.models.region_cnn import RegionCNN

BATCH_SIZE = 64  # inference is compute-bound above this; larger batches only take memory
# Keras finds a layer by its class name here before it looks for its module, so files of earlier versions still load.
LAYERS = {name: getattr(module, name) for module in (photometric_inputs, psf_matched) for name in module.__all__} | {
    "ArcsinhScaling": ArcsinhScaling,
    "BatchNormalization": BatchNormalization,
    "SquareViews": SquareViews,
    "MeanOfViews": MeanOfViews,
    "MedianFilter": MedianFilter,
    "DomainBatchNormalization": DomainBatchNormalization,
    "LowRankConv2D": LowRankConv2D,
    "LowRankDense": LowRankDense,
    "PixelResampling": PixelResampling,
    "MaxPoolingWithIndices": MaxPoolingWithIndices,
    "MaxUnpooling": MaxUnpooling,
    "RoIAlign": RoIAlign,
    "GridPredictions": GridPredictions,
    "RegionCNN": RegionCNN,
    "ProbabilisticUNet": ProbabilisticUNet,
    "HeatMapLoss": HeatMapLoss,
    "KnownPixelsLoss": KnownPixelsLoss,
    "YoloLoss": YoloLoss,
    "PixelCrossEntropy": PixelCrossEntropy,
    "ArcsinhError": ArcsinhError,
    "CircularPadding": CircularPadding,
    "GaussianParameters": GaussianParameters,
    "GaussianLikelihood": GaussianLikelihood,
    "StandardisedField": StandardisedField,
}


def load_network(path, compile=False):
    """Load a network with the layers of this package; with `compile` also its optimizer, to resume training."""
    return keras.models.load_model(path, custom_objects=LAYERS, compile=compile)


def load_members(paths):
    """Load networks in the order of the paths; a damaged one is named in a ValueError."""
    members = []
    for path in paths:
        try:
            members.append(load_network(path))
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            remedy = "remove it and run the same `train` again"
            raise ValueError(f"{path}: cannot be read as a network ({error}); {remedy}") from error
    return members


def in_float32(network):
    """Network with the same weights that computes in float32, whatever precision it was trained in.

    Parameters
    ----------
    network : keras.Model

    Returns
    -------
    keras.Model
        The network itself if it already computes in float32.
    """
    saved = json.dumps(keras.saving.serialize_keras_object(network))
    if "mixed_bfloat16" not in saved:
        return network
    copy = keras.saving.deserialize_keras_object(
        json.loads(saved.replace("mixed_bfloat16", "float32")), custom_objects=LAYERS
    )
    copy.set_weights(network.get_weights())
    return copy
