"""Image cubes in a column of an Arrow table: lists of lists, flattened, or structs as in the Multimodal Universe.

A row's cube is (bands, height, width). In a list column it is nested to any depth down to one flat list of a square
stamp; in a struct of lists, or a list of structs, a field such as `flux` has the image of each band and others its
`band`, `scale` [arcsec], `unit` or `zero_point`. The same facts may stand in columns beside the images.
"""

from dataclasses import dataclass
from math import isqrt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from photoz_morph.sources.stamps import pixel_scale_reason, settle_layout, to_stamps, unit_factor

IMAGE_COLUMNS = ("image", "images", "cutout", "cutouts", "cube", "hypercube", "stamp")
PIXEL_FIELDS = ("flux", "array", "image", "data", "pixels", "cube")
FACTS = {  # our name -> fields and columns that hold it, in lower case
    "bands": ("band", "bands", "filter", "filters"), "pixel_scale": ("pixel_scale", "scale", "pixel_size", "pixscale"),
    "unit": ("unit", "units", "bunit"), "zero_point": ("zero_point", "zeropoint"),
}  # fmt: skip


@dataclass(frozen=True)
class ImageColumn:
    """Where the images of a table are.

    Attributes
    ----------
    name : str
        Of the column.
    field : str
        Of the struct; "" for lists.
    facts : tuple of (str, str, str)
        Our name of a fact, the column, and the field of it or "".
    constants : tuple of (str, object)
        Facts that the metadata of the file state for all rows.
    """

    name: str
    field: str
    facts: tuple
    constants: tuple = ()

    @property
    def columns(self):
        """Names of the columns that are read with the images."""
        return tuple(dict.fromkeys([self.name, *(column for _, column, _ in self.facts)]))

    def is_read(self, leaf):
        """True if a leaf of the Parquet schema, a dotted path, is needed for the images."""
        column, _, below = leaf.partition(".")
        if column == self.name and self.field:
            wanted = {self.field, *(field for _, column, field in self.facts if column == self.name)}
            return bool(wanted & set(below.split(".")))
        return column in self.columns


def find_image_column(schema, source):
    """Column of images of a schema, and where bands, scale and unit stand.

    Raises
    ------
    ValueError
        If there is none, or several that have none of the names of `IMAGE_COLUMNS`.
    """
    nested = [field for field in schema if _pixels(field.type) is not None]
    named = [field for name in IMAGE_COLUMNS for field in nested if field.name.lower() == name]
    chosen = named[:1] or nested
    if len(chosen) != 1:
        raise ValueError(
            f"{source}: {len(chosen) or 'no'} columns hold image cubes, lists of numbers (bands, height, width) or "
            f"structs of them; call it `image` (columns found: {', '.join(schema.names[:12])})"
        )
    image, inside = chosen[0], _pixels(chosen[0].type)
    facts = []
    for fact, names in FACTS.items():
        fields = {field.name.lower(): field.name for field in _struct(image.type) or ()}
        columns = {field.name.lower(): field.name for field in schema}
        found = [(fact, image.name, fields[name]) for name in names if name in fields]
        found += [(fact, columns[name], "") for name in names if name in columns and columns[name] != image.name]
        facts += found[:1]
    said = {**(schema.metadata or {}), **(image.metadata or {})}
    said = {key.decode(errors="replace").lower(): text.decode(errors="replace") for key, text in said.items()}
    constants = {fact: said[name] for fact, names in FACTS.items() for name in reversed(names) if name in said}
    if "bands" in constants:
        constants["bands"] = tuple(name.strip() for name in constants["bands"].split(","))
    return ImageColumn(image.name, inside, tuple(facts), tuple(constants.items()))


def _is_list(kind):
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _struct(kind):
    """The struct of a struct, or of a list of structs; None for another type."""
    kind = kind.value_type if _is_list(kind) else kind
    return kind if pa.types.is_struct(kind) else None


def _pixels(kind):
    """Field of a type that holds pixels, "" if it does itself; None for one without pixels."""
    struct = _struct(kind)
    if struct is not None:
        fields = {field.name.lower(): field for field in struct}
        # A list of structs has one level in the list itself.
        least = 1 if _is_list(kind) else 2
        found = [fields[name] for name in PIXEL_FIELDS if name in fields]
        return next((field.name for field in found if _depth(field.type) >= least), None)
    depth = _depth(kind)
    # A flat list is taken for an image only if its length is that of one.
    return "" if depth >= 3 or (depth and pa.types.is_fixed_size_list(kind) and kind.list_size >= 64) else None


def _depth(kind):
    """Levels of lists above numbers; 0 for another type."""
    depth = 0
    while _is_list(kind):
        kind, depth = kind.value_type, depth + 1
    return depth if pa.types.is_floating(kind) or pa.types.is_integer(kind) else 0


def stamps_of_rows(content, column, survey):
    """Stamps of the rows of an Arrow table.

    Parameters
    ----------
    content : pyarrow.Table
        With the columns of `column`.
    column : ImageColumn
    survey : ImagingSurvey

    Returns
    -------
    images : ndarray, shape (n, size, size, n_bands), float32
        [image unit of the survey]; NaN where there is a reason.
    reasons : list of str
        What is wrong with the image of each row; "" for a good one.
    """
    n = content.num_rows
    images, reasons = np.full((n, *survey.image_shape), np.nan, np.float32), ["no image"] * n
    facts = {name: [value] * n for name, value in column.constants}
    for name, where, field in column.facts:
        values = _one_array(content, where)
        facts[name] = (_field(values, field) if field else values).to_pylist()
    pixels = _one_array(content, column.name)
    cubes = _cubes(_field(pixels, column.field) if column.field else pixels)
    alike = {}
    for row, (shape, _) in enumerate(cubes):
        if shape is not None:
            key = tuple(_hashable(facts[name][row]) if name in facts else None for name in FACTS)
            alike.setdefault((shape, key), []).append(row)
    for (shape, (bands, pixel_scale, unit, zero_point)), rows in alike.items():
        try:
            layout, shape = _layout(shape, bands, pixel_scale, unit, zero_point, survey)
        except ValueError as error:
            for row in rows:
                reasons[row] = str(error).removeprefix("image: ").split("; give")[0]
            continue
        for row in rows:
            images[row] = to_stamps(cubes[row][1].reshape(1, *shape), layout, survey)[0]
            reasons[row] = ""
    return images, reasons


def _one_array(content, name):
    """Column as one Arrow array."""
    column = content.column(name).combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _field(array, name):
    """Field of a struct array, or lists of it of an array of lists of structs."""
    if pa.types.is_struct(array.type):
        return pc.struct_field(array, name)
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pc.struct_field(array.flatten(), name))


def _hashable(value):
    if isinstance(value, list):
        return tuple(_hashable(one) for one in value)
    return value


def _cubes(array):
    """(shape, values) of each row of nested lists; (None, None) of one that is null, and shape () of ragged lists."""
    is_null, lengths, starts = array.is_null().to_numpy(zero_copy_only=False), [], []
    while _is_list(array.type):
        length = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        lengths.append(length)
        starts.append(np.concatenate([[0], np.cumsum(length)]))
        array = array.flatten()
    values = array.to_numpy(zero_copy_only=False)
    cubes = []
    for row, missing in enumerate(is_null):
        first, last, shape = row, row + 1, []
        for length, start in zip(lengths, starts):
            sizes = length[first:last]
            if len(sizes) == 0 or sizes.min() != sizes.max():
                shape = None
                break
            shape.append(int(sizes[0]))
            first, last = start[first], start[last]
        cubes.append((None, None) if missing else ((), None) if shape is None else (tuple(shape), values[first:last]))
    return cubes


def _layout(shape, bands, pixel_scale, unit, zero_point, survey):
    """Layout and shape (a, b, c) of the cube of a row; a ValueError that says what is wrong with it."""
    if not shape or 0 in shape:
        raise ValueError("image: lists of different lengths, or empty ones")
    bands = None if bands is None else tuple(map(str, bands)) if isinstance(bands, tuple) else tuple(bands.split(","))
    n_planes = len(bands) if bands else survey.n_bands
    if len(shape) < 3:
        n_pixels = int(np.prod(shape)) // max(n_planes, 1)
        side = isqrt(n_pixels)
        if (len(shape) == 2 and shape[0] != n_planes) or side * side * n_planes != int(np.prod(shape)):
            raise ValueError(f"image: a list of shape {shape} is no square stamp of {n_planes} bands")
        shape = (n_planes, side, side)
    scales = pixel_scale if isinstance(pixel_scale, tuple) else (pixel_scale,)
    scales = [scale for scale in scales if scale is not None]
    reason = pixel_scale_reason(scales, survey) if scales else ""
    if reason:
        raise ValueError(f"image: {reason}")
    factor = unit_factor(survey, "image", _of_all(unit, "units"), _of_all(zero_point, "zero points"))
    return settle_layout(shape, survey, "image", bands, factor), shape


def _of_all(values, what):
    """The one value of all bands."""
    if not isinstance(values, tuple):
        return values
    if len(set(values)) > 1:
        raise ValueError(f"image: bands of different {what}")
    return values[0] if values else None
