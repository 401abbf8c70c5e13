"""Sources in the boxes of a grid detector, a Faster R-CNN or a Mask R-CNN; the centre is that of the box.

A pixel belongs to the detection whose mask is the surest there, from one half on (He et al. 2017, Sec. 3.1). Networks
without masks leave the pixels to the caller.
"""

import numpy as np
from keras import ops

from photoz_morph.blend.finding.ensembles import fused
from photoz_morph.models.detection.masks import pasted_masks, source_map
from photoz_morph.models.grid_detector import grid_detections

NAMES = ("boxes", "scores", "probabilities", "masks")


def joined_detections(outputs, config):
    """Detections of several networks side by side.

    Parameters
    ----------
    outputs : list of tensor or of dict of str to tensor
        Of each network: predictions of a grid detector, or detections.
    config : BlendConfig

    Returns
    -------
    dict of str to tensor, shape (n, n_networks, n_detections, ...)
        `boxes`, `scores`, `probabilities`, `is_valid` and, of a Mask R-CNN, `masks`.
    """
    members = [_detections(output, config) for output in outputs]
    return {name: ops.stack([member[name] for member in members], axis=1)
            for name in (*NAMES, "is_valid") if name in members[0]}  # fmt: skip


def sources_of_boxes(detections, config, shape):
    """Sources of a batch of images.

    Parameters
    ----------
    detections : dict of str to tensor
        From `joined_detections`.
    config : BlendConfig
    shape : tuple of int
        Rows and columns of the images.

    Yields
    ------
    dict of str to ndarray
        As from `of_maps.sources_of_maps`; `owners` is None for networks without masks.
    """
    arrays = {name: ops.convert_to_numpy(values) for name, values in detections.items()}
    for row, members in enumerate(arrays["is_valid"]):
        parts = [
            {name: arrays[name][row, number][is_valid] for name in NAMES if name in arrays}
            for number, is_valid in enumerate(members)
        ]
        if "masks" in parts[0]:
            parts = [{**part, "masks": _pasted(part, shape)} for part in parts]
        found = parts[0]
        if len(parts) > 1:
            found = fused(parts, config.option("detection.max_iou"), config.option("detection.max_detections"))
        owners = None
        if "masks" in found:
            is_sure = found["scores"] >= config.option("detection.map_score")
            owners = np.zeros(shape, np.int16)
            if len(is_sure):
                owners = ops.convert_to_numpy(source_map(found["masks"][None], is_sure[None]))[0]
        probabilities = found["probabilities"].astype(float)
        probabilities[:, 0] = 0  # what is no source has a low score
        boxes = found["boxes"]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        yield {"centres": centres, "boxes": boxes, "scores": found["scores"], "probabilities": probabilities,
               "owners": owners}  # fmt: skip


def _detections(output, config):
    """Detections of a network."""
    if config.network != "grid_detector":
        return output
    return grid_detections(
        output, config.option("model.stride"), config.option("model.n_boxes"),
        max_detections=config.option("detection.max_detections"), max_iou=config.option("detection.max_iou"),
        min_score=config.option("detection.min_score"),
    )  # fmt: skip


def _pasted(part, shape):
    """Masks of detections on the pixels of the image, shape (n, *shape)."""
    if not len(part["masks"]):
        return np.zeros((0, *shape), np.float32)
    return ops.convert_to_numpy(pasted_masks(part["masks"][None], part["boxes"][None], shape))[0]
