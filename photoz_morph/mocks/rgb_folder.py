"""Colour images in a folder, with classes in a CSV file beside them, such as those of Galaxy Zoo.

`FOLDER/images/587722952767439450.jpg` or `FOLDER/NAME.png` is an image of 8 bits in red, green and blue. A row of the
CSV file names an image, with or without its suffix, and its class; an empty class is unknown. The bands come out in the
package's order, blue first: g, r, i where red, green and blue are i, r and g.
"""

import csv
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from photoz_morph.mocks.labels import CLASS_NAMES

SUFFIXES = (".jpg", ".jpeg", ".png")
LEFT_OUT = "none"  # class of the images that are not used
MAX_PIXELS = 4096**2  # a compressed file of kilobytes can hold more than the memory
FIRST_OWN_ID = 10**15  # of images whose name is no number, or a small one that a simulated galaxy may have
SMALLEST_ID, LARGEST_ID = 10**9, 2**63


@dataclass(frozen=True)
class RgbImage:
    """An image of a folder.

    Attributes
    ----------
    path : Path
    obj_id : int
        Its name, where that is a number of ten digits or more.
    label : int
        Index of `CLASS_NAMES`, or -1: unknown.
    """

    path: Path
    obj_id: int
    label: int


def find_rgb_images(folder, labels, name_column=None, label_column="label", classes=None):
    """Images of a folder that a CSV file names, in its order; no pixel is read.

    Parameters
    ----------
    folder : path-like
        Holds the images, or a folder `images` that does.
    labels : path-like
        CSV file with a row for each image.
    name_column, label_column : str
        Columns with the names of the images, by default the first, and with the classes.
    classes : dict of str to str, optional
        Values of the column to classes, `CLASS_NAMES` or "none" to leave the images out; the names of the classes mean
        themselves.

    Returns
    -------
    list of RgbImage

    Raises
    ------
    FileNotFoundError
        If there is no such folder or file, or an image is missing.
    ValueError
        If the file is no CSV file, or has no such column; a name occurs twice or a class is not known; or no image is
        left.
    """
    folder, labels = Path(folder), Path(labels)
    files = _files(folder)
    known = {name: name for name in (*CLASS_NAMES, LEFT_OUT)} | dict(classes or {})
    wrong = [f"{value}={name}" for value, name in known.items() if name not in (*CLASS_NAMES, LEFT_OUT)]
    if wrong:
        raise ValueError(f"class {wrong[0]!r}: give one of {', '.join(CLASS_NAMES)} or {LEFT_OUT} after the =")
    images, lines = [], {}
    for number, name, text in _rows(labels, name_column, label_column):
        where = f"{labels}: line {number}"
        if text and text not in known:
            raise ValueError(f"{where}: class {text!r} is not known; say what it is, such as --class {text}=spiral, or "
                             f"{text}={LEFT_OUT} to leave it out")  # fmt: skip
        if known.get(text) == LEFT_OUT:
            continue
        path = files.get(name) or files.get(Path(name).stem)
        if path is None:
            raise FileNotFoundError(f"{where}: no image {name!r} in {folder} ({', '.join(SUFFIXES)})")
        if path in lines:
            raise ValueError(f"{where}: image {name!r} is also in line {lines[path]}; give each image once")
        lines[path] = number
        images.append(RgbImage(path, _obj_id(path.stem, number), CLASS_NAMES.index(known[text]) if text else -1))
    if not images:
        raise ValueError(f"{labels}: names no image of a class; give a row for each image")
    ids, counts = np.unique([image.obj_id for image in images], return_counts=True)
    if counts.max() > 1:
        raise ValueError(f"{labels}: two images have the number {ids[np.argmax(counts)]}; rename one of the files")
    return images


def read_rgb(path, size):
    """One image, cut to its central square and resampled.

    Parameters
    ----------
    path : path-like
    size : int
        Side of the result [pixel].

    Returns
    -------
    ndarray, shape (size, size, 3), uint8
        Blue, green, red: g, r, i of the composites of SDSS.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, larger than `MAX_PIXELS`, or has more than 8 bits.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such image")
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError(f"has {picture.width} x {picture.height} pixels, at most {MAX_PIXELS:,} are read")
            if picture.mode not in ("RGB", "RGBA", "L", "P", "CMYK", "YCbCr", "1", "LA"):
                raise ValueError(f"has pixels of mode {picture.mode}; give 8 bits")
            picture = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError,
            MemoryError, struct.error, zlib.error, Image.DecompressionBombError) as error:  # fmt: skip
        reason = " ".join(str(error).split()) or type(error).__name__
        remedy = "fetch it again or leave its row out"
        raise ValueError(f"{path}: cannot be read as an image ({reason}); {remedy}") from error
    side = min(picture.size)
    corner = ((picture.width - side) / 2, (picture.height - side) / 2)
    box = (*corner, corner[0] + side, corner[1] + side)
    picture = picture.resize((size, size), Image.Resampling.BILINEAR, box)
    return np.ascontiguousarray(np.asarray(picture, np.uint8)[..., ::-1])


def _files(folder):
    """Paths of the images of a folder by their names with and without suffix."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give the folder of the images")
    inside = folder / "images" if (folder / "images").is_dir() else folder
    files = {}
    for path in sorted(inside.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            files[path.name] = path
            files.setdefault(path.stem, path)
    if not files:
        raise FileNotFoundError(f"{inside}: no images ({', '.join(SUFFIXES)}) in it")
    return files


def _rows(path, name_column, label_column):
    """Iterate over line number, name and class in a CSV file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give a CSV file with a row for each image as --labels")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, strict=True)
            columns = table.fieldnames or []
            name_column = name_column or (columns[0] if columns else "")
            for column in (name_column, label_column):
                if column not in columns:
                    found = ", ".join(map(repr, columns)) or "none"
                    raise ValueError(f"no column {column!r}; its columns are {found}")
            rows = [(table.line_num, row[name_column], row[label_column], None in row) for row in table]
    except (ValueError, csv.Error) as error:  # also UnicodeDecodeError
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: not a CSV file of images and classes ({reason})") from error
    for number, name, text, is_long in rows:
        if name is None or text is None or is_long or not name.strip():
            raise ValueError(f"{path}: line {number} has another number of columns than the first, or no name")
        yield number, name.strip(), " ".join(text.split())


def _obj_id(name, number):
    """Number of an image: its name, where that is a long number, else its line."""
    if name.isascii() and name.isdigit() and SMALLEST_ID <= int(name[:20]) < LARGEST_ID and len(name) < 20:
        return int(name)
    return FIRST_OWN_ID + number
