"""The outputs that are right for a batch of images, for each kind of network.

A source is asked for if it is a target and enough of its pixels are in the image. Other sources that are bright enough
for a box are neither asked for nor forbidden where the network allows that: they are neither right nor wrong in the
scores.
"""

import math

import tensorflow as tf

from photoz_morph.models.detection.peaks import edge_distances, heat_map
from photoz_morph.models.detection.yolo_loss import grid_targets
from photoz_morph.simulation.blends.truth import MIN_PIXELS

# Heat at the centre of a source that is not asked for. In the focal loss (1 - Y)^4 is then 1e-8: a network may say
# what it likes there.
INDIFFERENT = 0.99


def target_function(config):
    """Function of a batch of images, from `squares.padded`, to the right outputs of the network of a config.

    Parameters
    ----------
    config : BlendConfig
        Of a network that finds sources.
    """
    if config.network == "unet":
        return pixel_targets
    if config.network == "grid_detector":
        stride = config.option("model.stride")
        return lambda batch: cell_targets(batch, stride)
    return region_targets


def is_asked(batch):
    """Sources that a network is asked for, shape (n, n_sources)."""
    return tf.logical_and(tf.logical_and(batch["is_target"], batch["n_visible"] >= MIN_PIXELS), has_box(batch))


def has_box(batch):
    """Sources of which a part is in the image and above the threshold of boxes, shape (n, n_sources)."""
    size = batch["box"][..., 2:] - batch["box"][..., :2]
    return tf.reduce_all(size > 0, axis=-1)  # False for NaN too


def pixel_targets(batch):
    """Right outputs of a U-Net that finds sources.

    Returns
    -------
    dict of str to tensor, shape (n, rows, columns, ...)
        `semantic`, the class of each pixel; `heat`, 1 at the central pixels of sources that are asked for and at most
        `INDIFFERENT` at those of others; `distances` from central pixels to the edges of boxes, up, left, down and
        right [pixel], NaN elsewhere; `offsets`, the way from each pixel to the centre of its source, in y and x
        [pixel], NaN for the sky.
    """
    shape = batch["image"].shape[1:3]
    numbers = tf.cast(batch["instances"], tf.int32)
    kind = tf.pad(tf.cast(batch["kind"], tf.int32), [(0, 0), (1, 0)])
    centres = tf.stack([batch["y"], batch["x"]], axis=-1)
    asked, boxes = is_asked(batch), tf.where(has_box(batch)[..., None], batch["box"], 0.0)
    groups = tf.where(asked, 1, tf.where(has_box(batch), 2, 0))
    heat = heat_map(centres, boxes, groups, shape, n_classes=2)
    of_pixels = tf.gather(tf.pad(centres, [(0, 0), (1, 0), (0, 0)], constant_values=math.nan), numbers, batch_dims=1)
    grid = tf.cast(tf.stack(tf.meshgrid(*(tf.range(side) for side in shape), indexing="ij"), axis=-1), tf.float32)
    return {
        "semantic": tf.gather(kind, numbers, batch_dims=1),
        "heat": tf.maximum(heat[..., :1], INDIFFERENT * heat[..., 1:]),
        "distances": edge_distances(centres, boxes, asked, shape),
        "offsets": of_pixels - grid,
    }


def cell_targets(batch, stride):
    """Right outputs of a grid detector, see `yolo_loss.grid_targets`; the sources are sorted by their brightness."""
    asked = is_asked(batch)
    boxes = tf.where(asked[..., None], batch["box"], 0.0)
    classes = tf.where(asked, tf.cast(batch["kind"], tf.int32), 0)
    return grid_targets(boxes, classes, batch["image"].shape[1:3], stride)


def region_targets(batch):
    """Right outputs of a Faster or Mask R-CNN: `boxes`, `classes`, 0 for rows of no source, and `sources` of pixels."""
    asked = is_asked(batch)
    return {
        "boxes": tf.where(asked[..., None], batch["box"], 0.0),
        "classes": tf.where(asked, tf.cast(batch["kind"], tf.int32), 0),
        "sources": tf.cast(batch["instances"], tf.int32),
    }
