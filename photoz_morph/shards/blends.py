"""Fields of blended galaxies and stars on disk: FITS shards of images with the truth of every source.

`blend simulate` writes them and `blend build` reads them. A folder of shards is `blends-00000.fits`, ...; each holds

- the primary header: KIND (`scenes` or `pairs`), SURVEY, BANDS (comma separated, in the order of the last image axis),
  SIZE, PIXSCALE [arcsec], BUNIT, ZEROPT [AB mag of one unit], SIGMA [noise of an empty pixel in each band, with commas
  between], YEARS, FAINTEST, ORIGIN, SEED and further cards of the writer;
- HDU `IMAGE`: float32, shape (n, size, size, 3), sky subtracted;
- HDU `INSTANCES`: int16, shape (n, size, size), compressed (RICE_1): 0, or k + 1 where source k of the image is seen;
- HDU `CATALOG`: one row per image, with `obj_id`, `group_id`, `first_source` and `n_sources`;
- HDU `SOURCES`: one row per source, those of an image one after another; `SOURCE_COLUMNS`;
- HDU `PIXELS`: the noise-free images of all sources one after another, each (height, width, 3) in half precision, whose
  bits are the int16 of this HDU. The sum of those of an image is the image without noise.

Positions are x, the column, and y, the row, with 0 at the centre of the first pixel; boxes are (y0, x0, y1, x1) of
pixel edges.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import open_fits, primary_hdu, read_table, require_cards, require_columns

KINDS = ("scenes", "pairs")
CLASS_NAMES = ("background", "star", "spheroid", "disk", "merger")
BACKGROUND, STAR, SPHEROID, DISK, MERGER = range(len(CLASS_NAMES))
# Column -> unit. `flux` is that of all light, `flux_in_image` the sum of the noise-free image; `first_pixel`, `row`,
# `column`, `height`, `width` say where that image is.
SOURCE_COLUMNS = {
    "kind": "", "x": "pixel", "y": "pixel", "redshift": "", "mags": "mag", "flux": "{unit}", "flux_in_image": "{unit}",
    "template": "", "size_arcsec": "arcsec", "parent": "", "box": "pixel", "n_pixels": "pixel", "n_visible": "pixel",
    "snr": "", "blendedness": "", "is_target": "", "first_pixel": "", "row": "pixel", "column": "pixel",
    "height": "pixel", "width": "pixel",
}  # fmt: skip
IMAGE_COLUMNS = ("obj_id", "group_id", "first_source", "n_sources")
REQUIRED_CARDS = (
    "KIND", "SURVEY", "BANDS", "SIZE", "PIXSCALE", "BUNIT", "ZEROPT", "SIGMA", "YEARS", "FAINTEST", "ORIGIN", "SEED",
)  # fmt: skip


@dataclass(frozen=True)
class BlendImage:
    """An image of a shard with its truth.

    Attributes
    ----------
    obj_id, group_id : int
    image : ndarray, shape (size, size, n_bands), float32
    instances : ndarray, shape (size, size), int16
    sources : Table
        One row per source; its `first_pixel` counts from the first of `pixels`.
    pixels : ndarray, shape (n_pixels,), float16
        Noise-free images of its sources, one after another.
    """

    obj_id: int
    group_id: int
    image: np.ndarray
    instances: np.ndarray
    sources: Table
    pixels: np.ndarray

    def source_images(self):
        """Noise-free images of the sources in the whole field, shape (n_sources, size, size, n_bands), float32."""
        places = np.stack([self.sources[name] for name in ("row", "column", "height", "width")], axis=1)
        return unpack_sources(self.pixels, self.sources["first_pixel"], places, self.image.shape)

    def classes(self):
        """Class of each pixel, an index of `CLASS_NAMES`, shape (size, size), int16."""
        return np.concatenate([[BACKGROUND], self.sources["kind"]]).astype(np.int16)[self.instances]


def pack_sources(images):
    """Noise-free images one after another, and the first pixel of each.

    Parameters
    ----------
    images : list of ndarray, shape (height, width, n_bands), float16

    Returns
    -------
    pixels : ndarray, shape (n_pixels,), float16
    first : ndarray, shape (n_sources,), int64
    """
    ends = np.cumsum([0, *(image.size for image in images)])
    pixels = np.concatenate([image.ravel() for image in images]) if images else np.empty(0, np.float16)
    return pixels, ends[:-1].astype(np.int64)


def unpack_sources(pixels, first, places, image_shape):
    """Noise-free images of sources, each in a field of its own, from those of `pack_sources`.

    Parameters
    ----------
    pixels : ndarray, shape (n_pixels,)
    first : ndarray, shape (n_sources,)
        Where the image of a source begins.
    places : ndarray, shape (n_sources, 4)
        Row and column of its first pixel in the field, height and width.
    image_shape : tuple of int
        Of the field, (size, size, n_bands).

    Returns
    -------
    ndarray, shape (n_sources, size, size, n_bands), float32
    """
    fields = np.zeros((len(first), *image_shape), np.float32)
    for field, start, (row, column, height, width) in zip(fields, first, np.asarray(places, int)):
        shape = (height, width, image_shape[-1])
        field[row : row + height, column : column + width] = pixels[start : start + np.prod(shape)].reshape(shape)
    return fields


def blend_shard_path(folder, index):
    """Path of the shard of that index."""
    return Path(folder) / f"blends-{index:05d}.fits"


def find_blend_shards(folder):
    """Paths of the shards in a folder, in order.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or holds none.
    """
    paths = sorted(Path(folder).glob("blends-*.fits"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no blends-*.fits in it; create them with `blend simulate`")
    return paths


def write_blend_shard(path, images, instances, catalog, sources, pixels, header):
    """Write one shard to a temporary name, then rename it.

    Parameters
    ----------
    path : path-like
    images : ndarray, shape (n, size, size, n_bands), float32
    instances : ndarray, shape (n, size, size), int16
    catalog : Table
        One row per image, with `IMAGE_COLUMNS`.
    sources : Table
        One row per source, with `SOURCE_COLUMNS`; `first_pixel` counts from the first of the shard.
    pixels : ndarray, shape (n_pixels,), float16
    header : iterable of (keyword, value, comment)
        `REQUIRED_CARDS` and further ones.

    Raises
    ------
    ValueError
        If shapes do not fit each other, or a column or card is missing.
    """
    path = Path(path)
    primary = primary_hdu(header)
    require_cards(path, primary.header, REQUIRED_CARDS, "a shard of blends")
    require_columns(path, catalog, IMAGE_COLUMNS)
    require_columns(path, sources, SOURCE_COLUMNS)
    _check_shapes(path, images.shape, instances.shape, catalog, sources, len(pixels), primary.header)
    of_sources = fits.BinTableHDU(sources, name="SOURCES")
    for name, unit in SOURCE_COLUMNS.items():  # here, since astropy's tables cannot write the unit nanomaggy
        of_sources.columns[name].unit = unit.format(unit=primary.header["BUNIT"]) or None
    compressed = fits.CompImageHDU(np.ascontiguousarray(instances, np.int16), compression_type="RICE_1",
                                   tile_shape=(1, *instances.shape[1:]), name="INSTANCES")  # fmt: skip
    hdus = [
        primary,
        fits.ImageHDU(np.ascontiguousarray(images, np.float32), name="IMAGE"),
        compressed,
        fits.BinTableHDU(catalog, name="CATALOG"),
        of_sources,
        fits.ImageHDU(np.ascontiguousarray(pixels, np.float16).view(np.int16), name="PIXELS"),
    ]
    with write_whole(path) as part:
        fits.HDUList(hdus).writeto(part, overwrite=True, checksum=True)


def read_blend_catalog(path):
    """Read and check the table of images and the primary header of one shard; no pixel is read.

    Raises
    ------
    ValueError
        If the file is truncated, is not a shard of blends, or its parts contradict each other.
    """
    with open_fits(path, "a shard of blends") as hdus:
        return _checked(path, hdus)[0], hdus[0].header


def read_blend_sources(path):
    """Read the table of sources of one shard, those of all images one after another; no pixel is read.

    Raises
    ------
    ValueError
        As `read_blend_catalog`.
    """
    with open_fits(path, "a shard of blends") as hdus:
        return _checked(path, hdus)[1]


def read_blend_shard(path, rows=None, with_checksum=True):
    """Read and check the images of one shard.

    Parameters
    ----------
    path : path-like
    rows : ndarray of int, optional
        Images to read, in this order; all by default.
    with_checksum : bool
        Whether to compare the whole file with its checksums.

    Returns
    -------
    images : list of BlendImage
    header : Header

    Raises
    ------
    ValueError
        If the file is truncated, damaged, is not a shard of blends, or a pixel is not finite.
    """
    with open_fits(path, "a shard of blends", with_checksum=with_checksum) as hdus:
        catalog, sources, header = *_checked(path, hdus), hdus[0].header
        cube, maps, stored = hdus["IMAGE"].data, hdus["INSTANCES"].data, hdus["PIXELS"].data
        stored = np.empty(0, np.float16) if stored is None else stored
        images = []
        for row in range(len(catalog)) if rows is None else rows:
            image = np.array(cube[row], np.float32)
            if not np.isfinite(image).all():
                obj_id = catalog["obj_id"][row]
                raise ValueError(f"{path}: image {obj_id} has pixels that are not finite; make it again")
            first = int(catalog["first_source"][row])
            own = sources[first : first + int(catalog["n_sources"][row])]
            begin = int(own["first_pixel"][0]) if len(own) else 0
            lengths = own["height"].astype(int) * own["width"] * image.shape[-1]
            pixels = np.array(stored[begin : begin + int(np.sum(lengths))])
            own["first_pixel"] -= begin
            images.append(BlendImage(
                int(catalog["obj_id"][row]), int(catalog["group_id"][row]), image, np.array(maps[row], np.int16), own,
                pixels.astype(np.int16, copy=False).view(np.float16),
            ))  # fmt: skip
        return images, header


def _checked(path, hdus):
    """Tables of images and of sources of an open shard."""
    header = hdus[0].header
    require_cards(path, header, REQUIRED_CARDS, "a shard of blends")
    if header["KIND"] not in KINDS:
        raise ValueError(f"{path}: KIND is {header['KIND']}, not one of {', '.join(KINDS)}; make it again")
    catalog = read_table(path, hdus["CATALOG"], IMAGE_COLUMNS)
    sources = read_table(path, hdus["SOURCES"], tuple(SOURCE_COLUMNS))
    n_pixels = hdus["PIXELS"].shape[0] if hdus["PIXELS"].shape else 0
    _check_shapes(path, hdus["IMAGE"].shape, hdus["INSTANCES"].shape, catalog, sources, n_pixels, header)
    return catalog, sources


def _check_shapes(path, image_shape, map_shape, catalog, sources, n_pixels, header):
    """Raise a ValueError if the parts of a shard do not fit each other."""
    size, n_bands = header["SIZE"], len(header["BANDS"].split(","))
    expected = (len(catalog), size, size, n_bands)
    if tuple(image_shape) != expected or tuple(map_shape) != expected[:3]:
        raise ValueError(
            f"{path}: images have shape {tuple(image_shape)} and instances {tuple(map_shape)}, its {len(catalog)} rows "
            f"need {expected} and {expected[:3]}; make it again"
        )
    n_sources = int(np.sum(catalog["n_sources"]))
    area = int(np.sum(np.asarray(sources["height"], int) * np.asarray(sources["width"], int)))
    if len(sources) != n_sources or n_pixels != area * n_bands:
        raise ValueError(
            f"{path}: {len(sources)} sources with {n_pixels} pixels, its tables need {n_sources} with "
            f"{area * n_bands}; make it again"
        )
