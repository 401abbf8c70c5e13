"""Image arrays released by Ciprijanovic et al. (Zenodo 5514180), read galaxy by galaxy.

A folder holds `images_Y10_{train,valid,test}.npy` and `images_Y1_{train,valid,test}.npy`, float64 of shape
(n, 3, 100, 100) with channels g, r, i first, and `labels_{train,valid,test}.npy`, one-hot of shape (n, 3) in the order
spiral, elliptical, merger. Y10, Y1 and labels are row-aligned: a row is one galaxy. The files are memory-mapped, so
that their 16 GB are never loaded, and sorted by class, so that a reader must shuffle.

The split into training, validation and test is kept as released. It is not one by galaxy: each merger occurs up to
five times, flipped and rotated, and its copies are spread over the three sets, as are snapshots 95 and 99 of one
galaxy. An accuracy on the released test set is therefore comparable with the paper's but too high for new galaxies.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photoz_morph.mocks.labels import CLASS_NAMES

SPLIT_FILES = {"train": "train", "validation": "valid", "test": "test"}  # our name -> the name in the files
IMAGE_SHAPE = (3, 100, 100)  # g, r, i first
OBJ_ID_STEP = 10_000_000  # obj_id is the number of the split times this, plus the row


@dataclass(frozen=True)
class ReleasedArrays:
    """Memory-mapped arrays of the three splits.

    Attributes
    ----------
    folder : Path
    images_y10, images_y1, labels : dict of str to ndarray
        By split: shapes (n, 3, 100, 100) twice, channels first, and (n, 3), one-hot.
    """

    folder: Path
    images_y10: dict
    images_y1: dict
    labels: dict

    @property
    def sizes(self):
        """Number of galaxies in each split, by its name."""
        return {split: len(labels) for split, labels in self.labels.items()}

    def class_counts(self, split):
        """Number of galaxies of each class in a split, in the order of `CLASS_NAMES`."""
        return self.labels[split].sum(axis=0).astype(int)

    def iter_examples(self, split, order=None):
        """Iterate over the galaxies of a split in the given order.

        Parameters
        ----------
        split : str
            "train", "validation" or "test".
        order : iterable of int, optional
            Rows to read; by default all, in the order of the file, which is sorted by class.

        Yields
        ------
        dict
            `image_y10` and `image_y1`, float32 of shape (100, 100, 3), linear flux in the unit of the files with
            bands g, r, i; `label`, index into `CLASS_NAMES`; `obj_id`, unique over the splits.

        Raises
        ------
        ValueError
            If a pixel is not finite.
        """
        first_id = list(SPLIT_FILES).index(split) * OBJ_ID_STEP
        for row in range(self.sizes[split]) if order is None else order:
            yield {
                "image_y10": self._image("Y10", self.images_y10, split, row),
                "image_y1": self._image("Y1", self.images_y1, split, row),
                "label": int(np.argmax(self.labels[split][row])),
                "obj_id": first_id + int(row),
            }

    def _image(self, domain, images, split, row):
        """One image, channels last; refused with a pixel that is not finite."""
        image = np.moveaxis(np.asarray(images[split][row], np.float32), 0, -1)
        if not np.isfinite(image).all():
            pixel = tuple(int(index) for index in np.argwhere(~np.isfinite(image))[0])
            raise ValueError(
                f"{self.folder / f'images_{domain}_{SPLIT_FILES[split]}.npy'}: row {row} has the value {image[pixel]} "
                f"at (row, column, band) {pixel}; fetch the file again or leave that row out of the order"
            )
        return np.ascontiguousarray(image)


def open_released(folder):
    """Open and check the nine arrays of the release; no pixel is read.

    Parameters
    ----------
    folder : path-like

    Returns
    -------
    ReleasedArrays

    Raises
    ------
    FileNotFoundError
        If one of the nine files is missing.
    ValueError
        If an array has another shape, the labels are not one-hot, or the numbers of rows differ.
    """
    folder = Path(folder)
    images_y10, images_y1, labels = {}, {}, {}
    for split, suffix in SPLIT_FILES.items():
        labels[split] = _open_labels(folder / f"labels_{suffix}.npy")
        n_rows = len(labels[split])
        images_y10[split] = _open_images(folder / f"images_Y10_{suffix}.npy", n_rows)
        images_y1[split] = _open_images(folder / f"images_Y1_{suffix}.npy", n_rows)
    return ReleasedArrays(folder, images_y10, images_y1, labels)


def _open_images(path, n_rows):
    """Memory map of an image array, its shape compared with that of the release and with the labels."""
    images = _open_array(path)
    if images.shape[1:] == (*IMAGE_SHAPE[1:], IMAGE_SHAPE[0]):
        raise ValueError(
            f"{path}: shape {images.shape} has the channels last; the release has them first, "
            "write np.moveaxis(images, -1, 1)"
        )
    if images.ndim != 4 or images.shape[1:] != IMAGE_SHAPE or images.dtype.kind != "f":
        raise ValueError(
            f"{path}: {images.dtype.name} array of shape {images.shape}; give floats of shape (n, 3, 100, 100)"
        )
    if len(images) != n_rows:
        raise ValueError(
            f"{path}: {len(images)} images, but the labels beside it have {n_rows} rows; "
            "fetch the files of one release again"
        )
    return images


def _open_labels(path):
    """One-hot labels, checked."""
    labels = _open_array(path)
    n_classes = len(CLASS_NAMES)
    if labels.ndim != 2 or labels.shape[1] != n_classes or labels.dtype.kind not in "buif":
        raise ValueError(
            f"{path}: {labels.dtype.name} array of shape {labels.shape}; give one-hot labels of shape (n, {n_classes})"
        )
    one_hot = ((labels == 0) | (labels == 1)).all(axis=1) & (labels.sum(axis=1) == 1)
    if not one_hot.all():
        row = int(np.argmin(one_hot))
        raise ValueError(f"{path}: row {row} is {labels[row].tolist()}, not one-hot; one value must be 1, the others 0")
    return labels


def _open_array(path):
    """Memory map of a .npy file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; fetch all nine arrays of Zenodo record 5514180 into one folder")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        # Not NumPy's own words, which advise to load what is no array as a pickle.
        reason = "truncated, damaged or of Python objects"
        raise ValueError(f"{path}: cannot be read as a NumPy array ({reason}); fetch it again") from error
