"""Predictions as a HATS catalogue: a folder of Parquet files, one for each HEALPix pixel.

The table needs `ra` and `dec`. The catalogue can be opened by `hats.read_hats` and by LSDB: rows sorted by
`_healpix_29`, pixels of the lowest order that hold at most `MAX_ROWS` rows, `properties`, `partition_info.csv`, maps of
the counts, `_metadata`. Column `pdf` is a nested one, `pdf.z` the midpoints of the bins and `pdf.probability`, with the
edges of the bins in the metadata of the field; compact PDFs are lists. Beside our names of the point estimates stand
those of Rubin's tables, `{algo}_z_{point}` (`POINT_NAMES`). `catalog_row` is the row of a galaxy in the table, and
`read_hats_predictions` restores that order. Writing needs the package `hats`, reading does not. See the IVOA note on
HATS (2025).

The table can have any length: its parts are split by pixel into files of their own, then each pixel is sorted.
"""

import contextlib
import csv
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from photoz_morph.photoz.formats.compact import edges_metadata
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.streaming.joined_files import row_groups
from photoz_morph.system.columns import require_distinct_names
from photoz_morph.system.files import reason_and_remedy
from photoz_morph.system.sizes import check_parquet
from photoz_morph.system.tables import from_arrow, parquet_writer, to_arrow

MAX_ROWS = 100_000  # a file: 60 MB with the whole PDFs, some MB with compact ones
GROUP_ROWS = 10_000  # of a row group; so many nested PDFs are made at a time
COARSEST_MAP, MIDDLE_MAP, FINEST_MAP = 5, 8, 11  # orders of the map of counts: pixels of 1.8 deg, 14 and 1.7 arcmin
OWN_COLUMNS = ("_healpix_29", "catalog_row")
POINT_NAMES = {  # of Rubin's photo-z tables of its second data preview (2026), after the name of the algorithm -> ours
    "z_mean": "z_phot", "z_median": "z_median", "z_mode": "z_mode", "z_err68_low": "z_lower", "z_err68_high": "z_upper",
}  # fmt: skip
SAME_AS = b"same_as"  # key in the metadata of a field: the column that holds the same, which readers then leave out


def write_hats(parts, path, max_rows=MAX_ROWS):
    """Write predictions as a HATS catalogue; a few parts, or the rows of one file, are in memory at a time.

    Parameters
    ----------
    parts : Parts or OnePart
        Of a table from `predictions_table`, or `compact.compact` of it; with `ra` and `dec` in degrees.
    path : Path
        A folder that does not exist.
    max_rows : int
        Maximum number of rows of one file.

    Raises
    ------
    ValueError
        If the package hats is not installed, the folder exists, a position is missing or unknown, or a column of the
        catalogue has a name that this format needs.
    OSError
        With a message that names `path` and the remedy.
    """
    try:
        import hats  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"{path}: a HATS catalogue is written by the package hats, which is not installed ({error}); "
            "`pip install hats`, or write .parquet"
        ) from error
    if path.exists():
        raise ValueError(f"{path}: exists; remove it or give another name")
    parts = _WithoutIndex(parts)
    _check_names(parts.template, path)
    if not parts.n_rows:
        raise ValueError(f"{path}: HATS needs positions and there is no galaxy; write .parquet")
    for table in parts.tables([name for name in ("obj_id", "ra", "dec") if name in parts.template.colnames]):
        check_positions(table, path)
    part = path.with_name(f"{path.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        _write_catalog(parts, part, path.stem, max_rows)
        part.replace(path)
    except OSError as error:
        raise OSError(reason_and_remedy(error, path)) from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(part)


class _WithoutIndex:
    """Parts without a column `_healpix_29`, which a catalogue that was itself HATS brings along; it is made anew."""

    def __init__(self, parts):
        self._parts, self.n_rows = parts, parts.n_rows
        self._names = [name for name in parts.template.colnames if name != OWN_COLUMNS[0]]
        self.template = parts.template[self._names]

    def tables(self, names=None):
        return self._parts.tables(self._names if names is None else names)


def check_positions(table, path):
    """Raise a ValueError, about the output `path`, if a galaxy of a table has no position on the sky."""
    missing = [name for name in ("ra", "dec") if name not in table.colnames]
    if missing:
        raise ValueError(f"{path}: HATS needs positions and there is no column {', '.join(missing)}; write .parquet")
    unknown = ~(np.isfinite(np.asarray(table["ra"], float)) & (np.abs(np.asarray(table["dec"], float)) <= 90))
    if unknown.any():
        raise ValueError(
            f"{path}: {unknown.sum()} galaxies have no position on the sky, the first is obj_id "
            f"{table['obj_id'][np.argmax(unknown)]}; leave them out or write .parquet"
        )


def _check_names(template, path):
    """Raise a ValueError if a column of the catalogue has the name of a column of this format."""
    added = [*OWN_COLUMNS, *_point_columns(template.meta)]
    taken = [name for name in template.colnames if name.lower() in added]
    if taken:
        raise ValueError(f"catalogue column {', '.join(taken)} has a name of the HATS catalogue's own; rename it")
    require_distinct_names([*template.colnames, *added], path)


def _point_columns(meta):
    """Name in Rubin's tables -> our name of the same point estimate."""
    algorithm = re.sub(r"\W+", "_", str(meta.get("model", "")).lower().removesuffix("_photoz")) or "photoz"
    return {f"{algorithm}_{name}": ours for name, ours in POINT_NAMES.items()}


def _write_catalog(parts, folder, name, max_rows):
    """Write all files of a catalogue into a new folder."""
    from hats.catalog import PartitionInfo
    from hats.io import file_io, paths
    from hats.io.parquet_metadata import write_parquet_metadata
    from hats.io.skymap import write_skymap
    from hats.pixel_math.healpix_pixel import HealpixPixel

    order, counts = _map_of_counts(parts, max_rows)
    pixels = _partitions(order, counts, max_rows)
    scratch = folder / "by_pixel"
    scratch.mkdir(parents=True)
    _split_by_pixel(parts, pixels, scratch)
    healpix_pixels = [HealpixPixel(*pixel) for pixel in pixels]
    for number, pixel in enumerate(healpix_pixels):
        file = paths.pixel_catalog_file(folder, pixel)
        file.parent.mkdir(parents=True, exist_ok=True)
        bucket = scratch / f"{number}.arrows"
        _write_pixel(bucket, parts.template, str(file))
        bucket.unlink(missing_ok=True)
    scratch.rmdir()
    write_parquet_metadata(folder, create_thumbnail=True)
    PartitionInfo.from_healpix(healpix_pixels).write_to_file(catalog_path=folder)
    write_skymap(counts, folder)
    file_io.write_fits_image(counts, paths.get_point_map_file_pointer(folder))  # read_hats takes the coverage from it
    _write_properties(parts, folder, name, order, np.mean(counts > 0), max_rows)


def _healpix_29(table):
    """Spatial index of the galaxies of a table, int64."""
    from hats.pixel_math.spatial_index import compute_spatial_index

    return compute_spatial_index(np.asarray(table["ra"], float), np.asarray(table["dec"], float))


def _map_of_counts(parts, max_rows):
    """Order and counts of the coarsest map without a pixel of more than `max_rows` galaxies."""
    for finest in (MIDDLE_MAP, FINEST_MAP):
        counts = np.zeros(12 * 4**finest, np.int64)
        for table in parts.tables(["ra", "dec"]):
            np.add.at(counts, _healpix_29(table) >> 2 * (29 - finest), 1)
        if counts.max() <= max_rows:
            break
    else:
        raise ValueError(
            f"{counts.max()} galaxies within 2 arcmin, more than the {max_rows} of one file; are ra and dec in degrees?"
        )
    while finest > COARSEST_MAP and (coarser := counts.reshape(-1, 4).sum(axis=1)).max() <= max_rows:
        finest, counts = finest - 1, coarser
    return finest, counts


def _partitions(order, counts, max_rows):
    """The (order, pixel) of each file: the largest pixels with at most `max_rows` galaxies; empty ones are left out."""
    from hats.pixel_math.partition_stats import generate_alignment

    alignment = generate_alignment(counts, highest_order=order, threshold=max_rows)
    return sorted({(int(pixel[0]), int(pixel[1])) for pixel in alignment if pixel is not None})


def _split_by_pixel(parts, pixels, scratch):
    """Append the rows of each pixel, with `OWN_COLUMNS`, to a file of its own, in the order of the table."""
    first = np.array([pixel << 2 * (29 - order) for order, pixel in pixels])  # index at which each pixel begins
    by_first = np.argsort(first)
    for group in row_groups(_indexed(parts), GROUP_ROWS):
        index = group["_healpix_29"].to_numpy()
        number = by_first[np.searchsorted(first[by_first], index, side="right") - 1]
        by_number = np.argsort(number, kind="stable")
        starts = np.flatnonzero(np.diff(number[by_number], prepend=-1))
        group = group.take(by_number).combine_chunks()
        for start, stop in zip(starts, [*starts[1:], len(group)]):
            rows = group.slice(start, stop - start)
            with open(scratch / f"{number[by_number[start]]}.arrows", "ab") as file:
                with pa.ipc.new_stream(file, rows.schema) as stream:
                    stream.write_table(rows)


def _indexed(parts):
    """Arrow tables of the parts with `OWN_COLUMNS` in front."""
    metadata, start = edges_metadata(parts.template.meta), 0
    for table in parts.tables():
        arrow = to_arrow(table, with_fixed_lists=False, field_metadata=metadata)
        own = (_healpix_29(table), np.arange(start, start + len(table)))
        for position, (name, values) in enumerate(zip(OWN_COLUMNS, own)):
            arrow = arrow.add_column(position, name, pa.array(values.astype(np.int64)))
        start += len(table)
        yield arrow


def _write_pixel(bucket, template, path):
    """Write the file of a pixel: its rows by `_healpix_29`, with nested PDFs and Rubin's names."""
    rows = _read_streams(bucket)
    by_index = np.argsort(rows["_healpix_29"].to_numpy(), kind="stable")
    writer = None
    try:
        for start in range(0, len(by_index), GROUP_ROWS):
            group = with_rubin_names(rows.take(by_index[start : start + GROUP_ROWS]), template.meta)
            writer = writer or parquet_writer(group.schema, path)
            writer.write_table(group)
    finally:
        if writer:
            writer.close()


def _read_streams(bucket):
    """One Arrow table of all that was appended to a file."""
    tables = []
    with open(bucket, "rb") as file:
        end = file.seek(0, 2)
        file.seek(0)
        while file.tell() < end:
            with pa.ipc.open_stream(file) as stream:
                tables.append(stream.read_all())
    return pa.concat_tables(tables)


def with_rubin_names(rows, meta):
    """Rows with Rubin's names of the point estimates, and with whole PDFs nested.

    Parameters
    ----------
    rows : pyarrow.Table
        Of a predictions table; vectors are lists.
    meta : dict
        Of the predictions table.

    Returns
    -------
    pyarrow.Table
    """
    half_a_bin = RedshiftGrid(*(meta[key] for key in ("z_min", "z_max", "n_bins"))).width / 2
    for name, ours in _point_columns(meta).items():
        values, field = rows[ours], rows.schema.field(ours)
        notes = {**(field.metadata or {}), SAME_AS: ours.encode()}
        if ours == "z_phot" and meta.get("zphot_at", "midpoints") != "midpoints":
            values = pa.array(values.to_numpy() + half_a_bin)  # the mean of the PDF, over left edges in z_phot
        rows = rows.append_column(field.with_name(name).with_metadata(notes), values)
    if "pdf" in rows.column_names:
        position = rows.column_names.index("pdf")
        field, nested = rows.schema.field("pdf"), _nested(rows["pdf"].combine_chunks(), meta)
        rows = rows.set_column(position, pa.field("pdf", nested.type, metadata=field.metadata), nested)
    return rows


def _nested(pdf, meta):
    """Structure of two lists, `z` and `probability`, which LSDB and nested-pandas read as a nested column."""
    midpoints = RedshiftGrid(*(meta[key] for key in ("z_min", "z_max", "n_bins"))).midpoints
    starts = pa.array(np.arange(len(pdf) + 1, dtype=np.int32) * len(midpoints))
    z = pa.ListArray.from_arrays(starts, pa.array(np.tile(midpoints, len(pdf))))
    probability = pa.ListArray.from_arrays(starts, pdf.flatten())
    return pa.StructArray.from_arrays([z, probability], names=["z", "probability"])


def _write_properties(parts, folder, name, order, sky_fraction, max_rows):
    """Write the properties file of a catalogue."""
    from hats.catalog import TableProperties

    meta = parts.template.meta
    provenance = TableProperties.new_provenance_dict(folder, builder="photoz-morph")
    TableProperties(
        catalog_name=name,
        catalog_type="object",
        total_rows=parts.n_rows,
        ra_column="ra",
        dec_column="dec",
        healpix_column="_healpix_29",
        healpix_order=29,
        skymap_order=order,
        hats_max_rows=max_rows,
        moc_sky_fraction=float(sky_fraction),
        obs_description=f"redshift PDFs, survey {meta['survey']}, origin {meta['origin']}",
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
    parts = []
    for file in _partition_files(path):
        # Not pq.read_table, which would take Norder, Dir and Npix for columns.
        with pq.ParquetFile(file, page_checksum_verification=True) as partition:
            check_parquet(partition.metadata, file.stat().st_size)
            parts.append(_without_copies(partition))
    table = from_arrow(pa.concat_tables(parts))
    stated = _stated_rows(path)
    if stated not in (None, len(table)):
        raise ValueError(f"its files hold {len(table)} galaxies, its properties say {stated}")
    table = table[np.argsort(np.asarray(table["catalog_row"]))]
    table.remove_columns([name for name in OWN_COLUMNS if name in table.colnames])
    return table


def _stated_rows(path):
    """Number of rows that the properties of a catalogue state; None if they do not."""
    for name in ("hats.properties", "properties"):
        if (path / name).is_file():
            found = re.search(r"^hats_nrows=(\d+)$", (path / name).read_text(), re.MULTILINE)
            return int(found[1]) if found else None
    return None


def hats_batches(path, names, n_rows):
    """Iterate over the rows of a catalogue from `write_hats` in the order of its pixels.

    Parameters
    ----------
    path : Path
    names : list of str, optional
        Columns to read, as far as they are there; all by default.
    n_rows : int
        Rows of a part; of 0 the only item is a table without rows and the number of all rows.

    Yields
    ------
    Table
    """
    files = _partition_files(path)
    if not n_rows:
        total, stated = sum(pq.read_metadata(file).num_rows for file in files), _stated_rows(path)
        if stated not in (None, total):
            raise ValueError(f"its files hold {total} galaxies, its properties say {stated}")
        yield next(hats_batches(path, names, 1))[:0], total  # a list column tells its length by its rows
        return
    for file in files:
        with pq.ParquetFile(file, page_checksum_verification=True, buffer_size=2**20, pre_buffer=False) as partition:
            check_parquet(partition.metadata, file.stat().st_size)
            schema = partition.schema_arrow
            there = [name for name in _own_names(partition) if name not in OWN_COLUMNS and name in (names or (name,))]
            for batch in partition.iter_batches(n_rows, columns=_leaf_names(schema, there)):
                rows = pa.Table.from_batches([batch]).select(there).replace_schema_metadata(schema.metadata)
                yield from_arrow(_plain_pdf(rows))


def _partition_files(path):
    """Parquet files of a catalogue, in the order of its list of pixels."""
    with open(path / "partition_info.csv", newline="") as lines:
        pixels = [(int(row["Norder"]), int(row["Npix"])) for row in csv.DictReader(lines)]
    return [path / f"dataset/Norder={order}/Dir={pixel // 10_000 * 10_000}/Npix={pixel}.parquet"
            for order, pixel in pixels]  # fmt: skip


def _own_names(partition):
    """Names of the columns of an open file without Rubin's names for them."""
    return [field.name for field in partition.schema_arrow if SAME_AS not in (field.metadata or {})]


def _leaf_names(schema, names):
    """Names of the columns to read: of a nested PDF the probabilities, not the redshifts of the bins."""
    is_nested = "pdf" in names and pa.types.is_struct(schema.field("pdf").type)
    return ["pdf.probability" if name == "pdf" and is_nested else name for name in names]


def _without_copies(partition):
    """Rows of an open file without Rubin's names and redshifts of bins; the PDF is a list of probabilities."""
    return _plain_pdf(partition.read(_leaf_names(partition.schema_arrow, _own_names(partition))))


def _plain_pdf(rows):
    """Arrow table in which a nested PDF is a list of probabilities; compact ones and earlier versions stay."""
    schema = rows.schema
    if "pdf" not in schema.names or not pa.types.is_struct(schema.field("pdf").type):
        return rows
    position = rows.column_names.index("pdf")
    kind = schema.field("pdf").type.field("probability").type
    probability = pa.chunked_array([chunk.field("probability") for chunk in rows["pdf"].chunks], kind)
    return rows.set_column(position, schema.field("pdf").with_type(probability.type), probability)
