"""Sources found in images, whatever found them: a table of detections and a map of each image, in one FITS file.

The file has the HDUs `PREDICTIONS`, one row per detection with `COLUMNS` and further ones, those of an image one after
another; `IMAGES`, one row per image, also of those without a detection; and `SEGMENTATION`, int16, shape (n_images,
height, width), compressed (RICE_1): 0, or the `number` of the detection to which a pixel belongs.

Positions are x, the column, and y, the row, with 0 at the centre of the first pixel; boxes are (y0, x0, y1, x1) of
pixel edges. The kinds of sources are those of `shards.blends.CLASS_NAMES`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from photoz_morph.shards.blends import CLASS_NAMES
from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import open_fits, read_table
from photoz_morph.system.provenance import code_version
from photoz_morph.system.tables import table_of, write_fits

COLUMNS = {
    "obj_id": "of the image",
    "number": "of the detection in the segmentation of its image, from 1",
    "y": "row [pixel]",
    "x": "column [pixel]",
    "box": "y0, x0, y1, x1 of pixel edges [pixel]",
    "score": "the higher, the surer",
    "kind": "class of the highest probability",
    "probability": f"of {', '.join(CLASS_NAMES)}",
    "flux": "in each band [unit of the image]",
    "n_visible": "pixels in the segmentation",
}
IMAGE_COLUMNS = ("obj_id", "group_id", "n_detections")
REQUIRED_META = ("dataset", "origin", "survey", "bands", "unit", "zeropt", "model")


@dataclass(frozen=True)
class BlendPredictions:
    """Sources found in some images.

    Attributes
    ----------
    table : Table
        One row per detection, with `COLUMNS`; `REQUIRED_META` in its meta.
    images : Table
        One row per image, with `IMAGE_COLUMNS`.
    segmentation : ndarray, shape (n_images, height, width), int16
        0, or the number of the detection to which a pixel belongs.
    """

    table: Table
    images: Table
    segmentation: np.ndarray

    def of_images(self):
        """Table of detections of each image, as a list in the order of `images`."""
        ends = np.cumsum([0, *self.images["n_detections"]])
        return [self.table[low:high] for low, high in zip(ends, ends[1:])]


def blend_predictions(images, tables, segmentations, meta):
    """Assemble the predictions of some images.

    Parameters
    ----------
    images : dict of str to array-like, shape (n_images,)
        `obj_id` and `group_id`.
    tables : sequence of Table
        Detections of each image in the order of the numbers of its segmentation: `COLUMNS` but `obj_id`, `number`
        and `kind`, which follow.
    segmentations : sequence of ndarray of int, shape (height, width)
    meta : dict
        `REQUIRED_META` and further facts: short strings, numbers and booleans.

    Returns
    -------
    BlendPredictions

    Raises
    ------
    ValueError
        If parts do not fit each other.
    """
    counts = np.array([len(table) for table in tables])
    names = [name for name in tables[0].colnames if name not in ("obj_id", "number", "kind")]
    columns = {name: np.concatenate([np.asarray(table[name]) for table in tables]) for name in names}
    columns |= {
        "obj_id": np.repeat(np.asarray(images["obj_id"], np.int64), counts),
        "number": np.concatenate([np.arange(1, count + 1) for count in counts]).astype(np.int32),
        "kind": columns["probability"].argmax(axis=1).astype(np.int16),
    }
    table = Table({name: columns[name] for name in (*COLUMNS, *(name for name in names if name not in COLUMNS))})
    for name, description in COLUMNS.items():
        table[name].description = description
    table.meta = {**meta, "classes": ",".join(CLASS_NAMES), "code": code_version()}
    predictions = BlendPredictions(
        table,
        Table({**{name: np.asarray(images[name], np.int64) for name in IMAGE_COLUMNS[:2]}, "n_detections": counts}),
        np.asarray(segmentations, np.int16),
    )
    check_blend_predictions(predictions, "predictions")
    return predictions


def write_blend_predictions(predictions, path):
    """Write predictions as FITS with checksums, to a temporary name that is then renamed.

    Parameters
    ----------
    predictions : BlendPredictions
    path : path-like
        Ends in .fits.

    Raises
    ------
    ValueError
        If `predictions` contradict themselves or `path` does not end in .fits.
    """
    if Path(path).suffix != ".fits":
        raise ValueError(f"{path}: predictions are written as .fits, not {Path(path).suffix!r}")
    check_blend_predictions(predictions, path)
    maps = fits.CompImageHDU(
        predictions.segmentation, compression_type="RICE_1", tile_shape=(1, *predictions.segmentation.shape[1:]),
        name="SEGMENTATION",
    )  # fmt: skip
    hdus = [fits.BinTableHDU(predictions.images, name="IMAGES"), maps]
    with write_whole(path) as part:
        write_fits(predictions.table, part, image_hdus=hdus, with_checksum=True)


def read_blend_predictions(path):
    """Read and check predictions from `write_blend_predictions`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, holds no such predictions, or its parts contradict each other.
    """
    with open_fits(path, "predictions of `blend`", "predict again", with_checksum=True) as hdus:
        table = table_of(hdus["PREDICTIONS"])
        images = read_table(path, hdus["IMAGES"], IMAGE_COLUMNS)
        predictions = BlendPredictions(table, images, np.array(hdus["SEGMENTATION"].data, np.int16))
    check_blend_predictions(predictions, path)
    return predictions


def check_blend_predictions(predictions, path):
    """Raise a ValueError that begins with `path` if meta, columns, images and maps do not fit each other."""
    table, images, segmentation = predictions.table, predictions.images, predictions.segmentation
    missing = [key for key in REQUIRED_META if key not in table.meta]
    if missing:
        raise ValueError(f"{path}: not predictions of `blend`, the header lacks {', '.join(missing)}; predict again")
    missing = [name for name in COLUMNS if name not in table.colnames]
    if missing:
        raise ValueError(f"{path}: predictions of `blend` lack column {', '.join(missing)}; predict again")
    counts, obj_id = np.asarray(images["n_detections"]), np.asarray(images["obj_id"])
    if not np.array_equal(table["obj_id"], np.repeat(obj_id, counts)) or len(segmentation) != len(images):
        raise ValueError(
            f"{path}: {len(table)} detections, {len(images)} images with {counts.sum()} and {len(segmentation)} maps "
            "are not of each other; predict again"
        )
    if len(np.unique(obj_id)) < len(obj_id):
        raise ValueError(f"{path}: an image is there twice; predict again")
    largest = segmentation.reshape(len(segmentation), -1).max(axis=1, initial=0)
    if (largest > counts).any():
        row = (largest > counts).argmax()
        raise ValueError(
            f"{path}: the map of image {obj_id[row]} has detection {largest[row]}, its table {counts[row]}; predict "
            "again"
        )
    wrong = ~np.isfinite(np.asarray(table["score"], float))
    if wrong.any():
        raise ValueError(f"{path}: {wrong.sum()} scores are not finite; predict again")
    sums = np.asarray(table["probability"], float).sum(axis=1)
    if (np.abs(sums - 1) > 1e-5).any():
        raise ValueError(f"{path}: probabilities of a detection add up to {sums[np.abs(sums - 1).argmax()]:.6g}, not 1")
