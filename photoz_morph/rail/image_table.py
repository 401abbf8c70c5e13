"""Read the arrays that the networks take from RAIL tables with one image per row."""

import dataclasses

import numpy as np
from astropy.table import Table

from photoz_morph.catalogs.per_band import gather_conditions

LAYOUTS = ("rows_columns_bands", "bands_rows_columns")
N_MEDIAN = 200  # galaxies whose median image shows where the galaxies are


@dataclasses.dataclass(frozen=True)
class ImageColumns:
    """Layout of the images in a table.

    `layout` is the order of the axes of one row of column `images`, flattened or not; "bands_rows_columns" is that of
    rail_deepdisc. `bands` are the bands in their order along that axis, those of the survey among them. `ebv` is the
    column of Galactic reddening [mag].
    """

    images: str = "images"
    ebv: str = "ebv"
    bands: tuple[str, ...] = ()
    layout: str = LAYOUTS[0]

    def __post_init__(self):
        object.__setattr__(self, "bands", tuple(self.bands))
        if self.layout not in LAYOUTS:
            raise ValueError(f"image_layout is {self.layout!r}, must be one of {', '.join(LAYOUTS)}")

    def changed(self, **changes):
        """Copy of these columns with the changes that are not None."""
        return dataclasses.replace(self, **{name: value for name, value in changes.items() if value is not None})

    def read_images(self, table, survey):
        """Read the images of a table in the layout of the networks of a survey.

        Parameters
        ----------
        table : dict of str to ndarray, first axis n
        survey : Survey

        Returns
        -------
        ndarray, shape (n, size, size, n_bands), float32
            Bands in the order of the survey.

        Raises
        ------
        ValueError
            If the column or a band is missing, or the images have another shape.
        """
        bands = self.bands or survey.bands
        missing = [band for band in survey.bands if band not in bands]
        if missing:
            raise ValueError(f"bands are {','.join(bands)}, {survey.name} needs {','.join(missing)} too; give all")
        images = read_column(table, self.images)
        size, n_bands = survey.stamp_size, len(bands)
        shape = (size, size, n_bands) if self.layout == LAYOUTS[0] else (n_bands, size, size)
        if images.shape[1:] not in (shape, (np.prod(shape),)):
            raise ValueError(
                f"column '{self.images}' has rows of shape {images.shape[1:]}; {survey.name} in bands "
                f"{','.join(bands)} and order {self.layout} needs {shape}, or that flattened: {np.prod(shape)}"
            )
        images = images.reshape(-1, *shape)
        if self.layout == LAYOUTS[1]:
            images = np.moveaxis(images, 1, -1)
        if bands != survey.bands:
            images = images[..., [bands.index(band) for band in survey.bands]]
        return np.ascontiguousarray(images, np.float32)

    def read_ebv(self, table, n_galaxies, is_used=True):
        """Read E(B-V) of a table [mag], shape (n,), float32; zeros if the networks do not use it."""
        return read_column(table, self.ebv, n_galaxies).astype(np.float32) if is_used else np.zeros(n_galaxies, "f4")

    def read_conditions(self, table, names, survey, n_galaxies):
        """Read observing conditions, each (n, n_bands) float32 with NaN where the table has none: a dict."""
        found = {name: values for name, values in table.items() if str(name).lower().startswith(tuple(names))}
        return gather_conditions(Table({"row": np.arange(n_galaxies), **found}), names, survey.bands, "the table")


def read_column(table, name, n_galaxies=None):
    """Read a column of a table; a ValueError if it is missing or does not hold one number per galaxy."""
    if name not in table:
        raise ValueError(f"the table has no column '{name}'; it has {', '.join(map(str, table.keys()))}")
    values = np.asarray(table[name])
    if n_galaxies is None:
        return values
    if values.size != n_galaxies:
        raise ValueError(f"column '{name}' has shape {values.shape}, the table has {n_galaxies} images")
    return values.reshape(-1)


def check_centred(images, columns):
    """Raise a ValueError unless the galaxies are centred, which reveals a wrong order of flattened axes.

    Parameters
    ----------
    images : ndarray, shape (n, size, size, n_bands)
    columns : ImageColumns
        Named in the error.
    """
    size = images.shape[1]
    median = np.median(images[:: -(-len(images) // N_MEDIAN)], axis=0).reshape(size * size, -1)
    peaks = np.stack(np.unravel_index(np.argmax(median, axis=0), (size, size)), axis=1)
    # In the wrong order the middle of the table's row is still the middle of one band, hence more than half of them.
    is_centred = np.abs(peaks - (size - 1) / 2).max(axis=1) <= size / 8
    if is_centred.mean() <= 0.5:
        where = ", ".join(f"({row}, {column})" for row, column in peaks)
        raise ValueError(
            f"the median image of column '{columns.images}' peaks at pixels {where} of {size} x {size} in its bands, "
            f"not in the middle: are its axes in the order {columns.layout}? Give image_layout, or centre the cutouts"
        )
