"""Predictions as a HATS catalogue: a folder of Parquet files, one for each HEALPix pixel.

The table needs `ra` and `dec`. The catalogue can be opened by `hats.read_hats`: rows sorted by `_healpix_29`, pixels of
the lowest order that hold at most `MAX_ROWS` rows, `properties`, `partition_info.csv`, maps of the counts, `_metadata`.
The PDF is a list column with the edges of its bins in the
metadata of the field; `catalog_row` is the row of a galaxy in the table, and `read_hats_predictions` restores that
order. Writing needs the package `hats`, reading does not. See the IVOA note on HATS (2025).
"""

import contextlib
import csv
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import Column

from photoz_morph.photoz.formats.compact import edges_metadata
from photoz_morph.system.files import reason_and_remedy
from photoz_morph.system.sizes import check_parquet
from photoz_morph.system.tables import from_arrow, to_arrow, write_arrow

MAX_ROWS = 200_000  # a file: 200 MB with the whole PDFs, some tens of MB with compact ones
COARSEST_MAP, FINEST_MAP = 5, 11  # orders of the map of counts: pixels of 1.8 degrees, and of 1.7 arcmin at most
OWN_COLUMNS = ("_healpix_29", "catalog_row")


def write_hats(table, path, max_rows=MAX_ROWS):
    """Write predictions as a HATS catalogue.

    Parameters
    ----------
    table : Table
        From `predictions_table`, or `compact.compact` of it; with `ra` and `dec` in degrees.
    path : Path
        A folder that does not exist.
    max_rows : int
        Maximum number of rows of one file.

    Raises
    ------
    ValueError
        If the package hats is not installed, the folder exists, or a position is missing or unknown.
    OSError
        With a message that names `path` and the remedy.
    """
    try:
        from hats.pixel_math.spatial_index import compute_spatial_index
    except ImportError as error:
        raise ValueError(
            f"{path}: a HATS catalogue is written by the package hats, which is not installed ({error}); "
            "`pip install hats`, or write .parquet"
        ) from error
    if path.exists():
        raise ValueError(f"{path}: exists; remove it or give another name")
    missing = [name for name in ("ra", "dec") if name not in table.colnames]
    if missing or not len(table):
        what = f"column {', '.join(missing)}" if missing else "galaxy"
        raise ValueError(f"{path}: HATS needs positions and there is no {what}; write .parquet")
    ra, dec = (np.asarray(table[name], float) for name in ("ra", "dec"))
    unknown = ~(np.isfinite(ra) & (np.abs(dec) <= 90))
    if unknown.any():
        raise ValueError(
            f"{path}: {unknown.sum()} galaxies have no position on the sky, the first is obj_id "
            f"{table['obj_id'][np.argmax(unknown)]}; leave them out or write .parquet"
        )
    index = compute_spatial_index(ra, dec)
    part = path.with_name(f"{path.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        _write_catalog(table, index, part, path.stem, max_rows)
        part.replace(path)
    except OSError as error:
        raise OSError(reason_and_remedy(error, path)) from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(part)


def _write_catalog(table, index, folder, name, max_rows):
    """Write all files of a catalogue into a new folder."""
    from hats.catalog import PartitionInfo
    from hats.io import file_io, paths
    from hats.io.parquet_metadata import write_parquet_metadata
    from hats.io.skymap import write_skymap
    from hats.pixel_math.healpix_pixel import HealpixPixel

    order, counts = _map_of_counts(index, max_rows)
    by_index = np.argsort(index, kind="stable")
    index = index[by_index]
    pixels = [HealpixPixel(*pixel) for pixel in _partitions(order, counts, max_rows)]
    for pixel in pixels:
        first, last = np.searchsorted(index, np.array([pixel.pixel, pixel.pixel + 1]) << 2 * (29 - pixel.order))
        rows = by_index[first:last]
        one = table[rows]
        one.add_columns([Column(index[first:last]), Column(rows)], indexes=[0, 0], names=OWN_COLUMNS)
        file = paths.pixel_catalog_file(folder, pixel)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_arrow(to_arrow(one, with_fixed_lists=False, field_metadata=edges_metadata(table.meta)), str(file))
    write_parquet_metadata(folder, create_thumbnail=True)
    PartitionInfo.from_healpix(pixels).write_to_file(catalog_path=folder)
    write_skymap(counts, folder)
    file_io.write_fits_image(counts, paths.get_point_map_file_pointer(folder))  # read_hats takes the coverage from it
    _write_properties(table, folder, name, order, np.mean(counts > 0), max_rows)


def _map_of_counts(index, max_rows):
    """Order and counts of the coarsest map without a pixel of more than `max_rows` galaxies."""
    for order in range(COARSEST_MAP, FINEST_MAP + 1):
        counts = np.bincount(index >> 2 * (29 - order), minlength=12 * 4**order)
        if counts.max() <= max_rows:
            return order, counts
    raise ValueError(
        f"{counts.max()} galaxies within 2 arcmin, more than the {max_rows} of one file; are ra and dec in degrees?"
    )


def _partitions(order, counts, max_rows):
    """The (order, pixel) of each file: the largest pixels with at most `max_rows` galaxies; empty ones are left out."""
    from hats.pixel_math.partition_stats import generate_alignment

    alignment = generate_alignment(counts, highest_order=order, threshold=max_rows)
    return sorted({(int(pixel[0]), int(pixel[1])) for pixel in alignment if pixel is not None})


def _write_properties(table, folder, name, order, sky_fraction, max_rows):
    """Write the properties file of a catalogue."""
    from hats.catalog import TableProperties

    provenance = TableProperties.new_provenance_dict(folder, builder="photoz-morph")
    TableProperties(
        catalog_name=name,
        catalog_type="object",
        total_rows=len(table),
        ra_column="ra",
        dec_column="dec",
        healpix_column="_healpix_29",
        healpix_order=29,
        skymap_order=order,
        hats_max_rows=max_rows,
        moc_sky_fraction=float(sky_fraction),
        obs_description=f"redshift PDFs, survey {table.meta['survey']}, origin {table.meta['origin']}",
        **provenance,
    ).to_properties_file(folder)


def read_hats_predictions(path):
    """Read the table from a folder of `write_hats`, in its original order.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Table

    Raises
    ------
    OSError, KeyError, ValueError, pyarrow.ArrowException
        If a file is missing or damaged, or the folder is another kind of catalogue.
    """
    with open(path / "partition_info.csv", newline="") as lines:
        pixels = [(int(row["Norder"]), int(row["Npix"])) for row in csv.DictReader(lines)]
    parts = []
    for order, pixel in pixels:
        file = path / f"dataset/Norder={order}/Dir={pixel // 10_000 * 10_000}/Npix={pixel}.parquet"
        # Not pq.read_table, which would take Norder, Dir and Npix for columns.
        with pq.ParquetFile(file, page_checksum_verification=True) as partition:
            check_parquet(partition.metadata, file.stat().st_size)
            parts.append(partition.read())
    table = from_arrow(pa.concat_tables(parts))
    table = table[np.argsort(np.asarray(table["catalog_row"]))]
    table.remove_columns([name for name in OWN_COLUMNS if name in table.colnames])
    return table
