"""An exported morphology model whose answers a line of NumPy gives, and mocks to ask it about."""

import numpy as np
import tensorflow as tf

from photoz_morph.models.saved_model import write_saved_model
from photoz_morph.shards.mocks import mock_shard_path, write_mock_shard
from photoz_morph.surveys import LSST
from tests.support.samples import MOCK_HEADER, shape_mocks

CLASSES = ("spiral", "elliptical", "merger")
SCALE = 0.05  # of the logits [1 / nJy]


def toy_export(folder, with_y1=True, **changes):
    """Write a model whose logits are the mean of each band times `SCALE`, with the opposite sign in `serve_y1`."""
    def function(sign):
        def serve(image):
            latent = tf.reduce_mean(image, axis=(1, 2))
            return {"probability": tf.nn.softmax(sign * SCALE * latent), "latent": latent}

        return serve

    signature = [tf.TensorSpec((None, *LSST.image_shape), tf.float32, name="image")]
    functions = {"serve": (function(1), signature)} | ({"serve_y1": (function(-1), signature)} if with_y1 else {})
    description = {
        "task": "morph", "survey": "lsst", "bands": LSST.bands, "image_unit": "nJy", "classes": CLASSES,
        "model": "resnet18", "mocks": {"binning": "sample", "pixscale": 1.0},
    } | changes  # fmt: skip
    write_saved_model(folder, functions, {key: value for key, value in description.items() if value is not None})
    return folder


def toy_probability(image, sign=1):
    """Probabilities of `toy_export`, in float64."""
    powers = np.exp(sign * SCALE * np.asarray(image, float).mean(axis=(1, 2)))
    return powers / powers.sum(axis=1, keepdims=True)


def toy_mocks(folder, sizes=(70, 5), **cards):
    """Shards of mocks with Y10 and Y1 stamps: paths, stamps of each depth, and obj_id, over all shards."""
    header = [(name, cards.get(name, value), comment) for name, value, comment in MOCK_HEADER]
    paths, stamps, obj_id = [], {10: [], 1: []}, []
    for index, n in enumerate(sizes):
        images, table = shape_mocks(n, first_id=100 * index)
        paths.append(mock_shard_path(folder, index))
        write_mock_shard(paths[-1], images, table, header)
        for years, part in stamps.items():
            part.append(images[years])
        obj_id += table["obj_id"].tolist()
    return paths, {years: np.concatenate(part) for years, part in stamps.items()}, obj_id
