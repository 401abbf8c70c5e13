"""RAIL stages for image cutouts: train networks on a table of images, and estimate qp ensembles of redshift PDFs.

Needs the extra `[rail]`. Importing this package registers `PhotozMorphInformer` and `PhotozMorphEstimator` with RAIL
and ceci; TensorFlow is loaded only when a stage runs.
"""

from photoz_morph.rail.image_table import ImageColumns
from photoz_morph.rail.model_file import NetworkModel, NetworkModelHandle, model_from_run, read_model, write_model
from photoz_morph.rail.stages import PhotozMorphEstimator, PhotozMorphInformer

__all__ = [
    "ImageColumns", "NetworkModel", "NetworkModelHandle", "PhotozMorphEstimator", "PhotozMorphInformer",
    "model_from_run", "read_model", "write_model",
]  # fmt: skip
