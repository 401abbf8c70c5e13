"""HDF5 files with a dataset of images and datasets of columns, as GalaxiesML and Hayat et al. (2021) publish them.

The images are (n, bands, height, width) or (n, height, width, bands) in a dataset called `image` or `images`; every
dataset of as many rows is a column. The file or the image dataset may have the attributes `bands`, `unit`,
`zero_point`, `pixel_scale` [arcsec] and `origin`; without them bands, unit and scale are those of the survey.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from astropy.table import Table

from photoz_morph.sources.galaxy_columns import galaxy_table
from photoz_morph.sources.source import ImageSource, check_origin, file_facts, fingerprint_of, rows_at_once
from photoz_morph.sources.stamps import (
    StampLayout,
    check_pixel_scale,
    flag_bad_pixels,
    settle_layout,
    to_stamps,
    unit_factor,
)  # fmt: skip
from photoz_morph.surveys import ImagingSurvey
from photoz_morph.system.sizes import check_hdf5

IMAGE_NAMES = ("image", "images", "cutout", "cutouts", "cube")
ATTRIBUTES = {  # ours -> others
    "bands": ("bands", "band", "filters"), "unit": ("unit", "units", "bunit"), "origin": ("origin",),
    "zero_point": ("zero_point", "zeropoint"), "pixel_scale": ("pixel_scale", "pixscale"),
}  # fmt: skip
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, OverflowError)


@dataclass(frozen=True)
class Hdf5Partition:
    """Some rows of the datasets; see `sources.source`."""

    path: Path
    image_name: str
    columns: tuple  # of (name in the table, name in the file)
    survey: ImagingSurvey
    layout: StampLayout
    name: str
    first: int
    n_rows: int

    def read(self, rows=None, with_checksum=True):
        """Images and table; the format verifies its own checksums, where it has any."""
        rows = np.arange(self.n_rows) if rows is None else np.asarray(rows)
        with _open(self.path) as file:
            table = self._table(file)[rows]
            images = to_stamps(_rows(file[self.image_name], self.first + rows), self.layout, self.survey)
        flag_bad_pixels(images, table, self.survey)
        return images, table

    def read_table(self):
        """Table without pixels."""
        with _open(self.path) as file:
            return self._table(file)

    def _table(self, file, announce=False):
        rows = slice(self.first, self.first + self.n_rows)
        columns = Table({name: _fields(file, key)[rows] for name, key in self.columns})
        if not columns.colnames:
            columns = Table({"row": self.first + np.arange(self.n_rows)})
        return galaxy_table(columns, self.survey.bands, self.path, self.first, announce)


def open_hdf5(path, survey, origin=None):
    """Open an HDF5 file of images.

    Parameters
    ----------
    path : path-like
    survey : ImagingSurvey
    origin : str, optional
        "simulated" or "stacked"; by default the attribute `origin`, or "stacked".

    Returns
    -------
    ImageSource

    Raises
    ------
    ValueError
        If the file is damaged, has no images, or images that do not fit the survey.

    Warns
    -----
    UserWarning
        Which columns were taken for which.
    """
    path = Path(path)
    with _open(path) as file:
        check_hdf5(file)
        image = _image_dataset(file, path)
        said = _attributes(file, image)
        bands = said.get("bands")
        if bands is not None:
            bands = bands.split(",") if isinstance(bands, str) else list(np.atleast_1d(bands))
        check_pixel_scale(said.get("pixel_scale"), survey, path)
        factor = unit_factor(survey, path, said.get("unit"), said.get("zero_point"))
        layout = settle_layout(image.shape[1:], survey, path, bands, factor)
        n, step = image.shape[0], rows_at_once(int(np.prod(image.shape[1:])) * image.dtype.itemsize)
        columns = _column_keys(file, n, image.name)
        partitions = tuple(
            Hdf5Partition(path, image.name, columns, survey, layout, f"rows-{number:05d}", first, min(step, n - first))
            for number, first in enumerate(range(0, n, step))
        )
        partitions[0]._table(file, announce=True)
    origin = check_origin(origin or said.get("origin", "stacked"), path)
    return ImageSource(path, survey, origin, partitions, fingerprint_of(file_facts(path)))


@contextmanager
def _open(path):
    """Open an HDF5 file in a `with` statement; errors become one line that names it."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file; give an HDF5 file of images")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if reason.startswith(f"{path}: "):
            raise
        raise ValueError(f"{path}: cannot be read as HDF5 with images ({reason}); fetch or make it again") from error


def _datasets(file):
    """All datasets of a file, by the order of their names."""
    found = []
    file.visititems(lambda name, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return found


def _image_dataset(file, path):
    """The dataset of images: of four axes, and of one of `IMAGE_NAMES` if there are several."""
    cubes = [item for item in _datasets(file) if item.ndim == 4 and item.dtype.kind in "fiu"]
    named = [item for item in cubes if item.name.rsplit("/", 1)[-1].lower() in IMAGE_NAMES]
    chosen = named or cubes
    if len(chosen) != 1 or not chosen[0].shape[0]:
        found = ", ".join(f"{item.name} {item.shape}" for item in _datasets(file)[:8]) or "none"
        raise ValueError(
            f"{path}: {len(chosen) or 'no'} datasets of images with four axes; call it `image`, shape (n, bands, "
            f"height, width), n > 0 (datasets found: {found})"
        )
    return chosen[0]


def _attributes(file, image):
    """What the attributes of the image dataset, else of the file, say of `ATTRIBUTES`."""
    said = {}
    for attributes in (file.attrs, image.attrs):
        lower = {name.lower(): value for name, value in attributes.items()}
        for ours, names in ATTRIBUTES.items():
            said |= {ours: lower[name] for name in reversed(names) if name in lower}
    texts = {name: value.decode() for name, value in said.items() if isinstance(value, bytes)}
    return said | texts


def _column_keys(file, n_rows, image_name):
    """(name of the column, dataset or dataset and field) of all columns."""
    keys, names = [], set()
    for item in _datasets(file):
        if item.shape is None or item.shape[:1] != (n_rows,) or item.name == image_name or item.ndim > 2:
            continue
        name = item.name.rsplit("/", 1)[-1]
        name = name if name.lower() not in names else item.name.strip("/").replace("/", "_")
        names.add(name.lower())
        if item.dtype.names:
            keys += [(field, (item.name, field)) for field in item.dtype.names]
        else:
            keys.append((name, item.name))
    return tuple(keys)


def _fields(file, key):
    """Dataset of a key, or one field of it, to be sliced."""
    if isinstance(key, str):
        return file[key]
    return file[key[0]].fields(key[1])


def _rows(dataset, rows):
    """Rows of a dataset; neighbours are read at once, and a range at once where chunks hold several rows."""
    if len(rows) == 0:
        return np.empty((0, *dataset.shape[1:]), dataset.dtype)
    if dataset.chunks and dataset.chunks[0] > 1:  # each chunk is decompressed once
        first = int(rows.min())
        return dataset[first : int(rows.max()) + 1][rows - first]
    starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
    ends = [*starts[1:], len(rows)]
    return np.concatenate([dataset[int(rows[start]) : int(rows[end - 1]) + 1] for start, end in zip(starts, ends)])
