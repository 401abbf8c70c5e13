"""HATS catalogue, Parquet file, or folder of Parquet files, whose rows hold image cubes.

This is the form of bulk cut-outs and of the Multimodal Universe. Each partition of the catalogue is a partition here;
one whose stamps would take more than `STAMP_BYTES` of memory is divided, at row groups where these are small enough.
What a row's image may look like is described in `sources.image_rows`. Only the leaves that are needed are read.
"""

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from photoz_morph.catalogs.table_files import columns_of_arrow
from photoz_morph.sources.galaxy_columns import flag_rows, galaxy_table
from photoz_morph.sources.image_rows import ImageColumn, find_image_column, stamps_of_rows
from photoz_morph.sources.source import ImageSource, fingerprint_of
from photoz_morph.sources.stamps import flag_bad_pixels
from photoz_morph.surveys import ImagingSurvey
from photoz_morph.system.columns import LARGEST_EXACT
from photoz_morph.system.sizes import check_parquet

STAMP_BYTES = 2**28  # of the stamps of one partition: 3,276 of SDSS
BATCH_ROWS = 256
N_TRIED = 20  # first rows, of which one must have a usable image when the catalogue is opened
PROPERTIES = ("hats.properties", "properties", "collection.properties")
UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, NotImplementedError, IndexError)


@dataclass(frozen=True)
class ParquetPartition:
    """Consecutive rows of one file; see `sources.source`."""

    path: Path
    images: ImageColumn
    survey: ImagingSurvey
    gaps: tuple  # of (integer column with nulls somewhere in the catalogue, "float" or "text")
    name: str
    row_groups: tuple
    skipped: int  # rows of the first row group that belong to the partition before
    first: int  # number of the first row in the whole catalogue
    n_rows: int

    def read(self, rows=None, with_checksum=True):
        """Images and table."""
        rows = np.arange(self.n_rows) if rows is None else np.asarray(rows)
        table = self.read_table()[rows]
        images = np.full((len(rows), *self.survey.image_shape), np.nan, np.float32)
        # Where each row of the partition goes; -1 is nowhere.
        place = np.full(self.n_rows, -1)
        place[rows] = np.arange(len(rows))
        for start, batch in self._batches(self.images.is_read, with_checksum):
            wanted = np.flatnonzero(place[start : start + batch.num_rows] >= 0)
            if len(wanted):
                to = place[start + wanted]
                stamps, reasons = stamps_of_rows(batch.take(wanted), self.images, self.survey)
                images[to] = stamps
                bad = [number for number, reason in enumerate(reasons) if reason]
                flag_rows(table, to[bad], [reasons[number] for number in bad])
        flag_bad_pixels(images, table, self.survey)
        return images, table

    def read_table(self):
        """Table without pixels."""
        return self._table()

    def _table(self, announce=False):
        parts = [part for _, part in self._batches(lambda leaf: leaf.partition(".")[0] != self.images.name)]
        columns = columns_of_arrow(pa.concat_tables(parts), self.path)
        if not columns.colnames:
            columns["row"] = self.first + np.arange(self.n_rows)
        table = galaxy_table(columns, self.survey.bands, self.path, self.first, announce)
        for name, kind in self.gaps:
            if name in table.colnames and table[name].dtype.kind in "iub":
                table[name] = table[name].astype(float if kind == "float" else str)
        return table

    def _batches(self, is_read, with_checksum=True):
        """(number of the first row, Arrow table) of some rows at a time, with the leaves that are to be read."""
        at = -self.skipped
        with _open(self.path, with_checksum) as file:
            schema = file.metadata.schema
            leaves = [schema.column(number).path for number in range(len(schema))]
            leaves = [leaf for leaf in leaves if is_read(leaf)]
            for batch in file.iter_batches(BATCH_ROWS, self.row_groups, leaves):
                first, last = max(-at, 0), min(self.n_rows - at, batch.num_rows)
                if first < last:
                    yield at + first, pa.Table.from_batches([batch.slice(first, last - first)])
                at += batch.num_rows
                if at >= self.n_rows:
                    return
        if at < self.n_rows:
            raise ValueError(f"{self.path}: ends {self.n_rows - at} rows too early; fetch it again")


def is_hats(path):
    """True for a Parquet file, or a folder that may be a HATS catalogue or hold Parquet files."""
    path = Path(path)
    if path.is_file():
        return path.suffix == ".parquet"
    return any((path / name).exists() for name in PROPERTIES) or bool(_files(path))


def open_hats(path, survey, origin="stacked"):
    """Open a HATS catalogue or collection, a Parquet file, or a folder of them.

    Parameters
    ----------
    path : path-like
    survey : ImagingSurvey
    origin : str
        "simulated" or "stacked".

    Returns
    -------
    ImageSource

    Raises
    ------
    FileNotFoundError
        If there is no Parquet file.
    ValueError
        If a file is damaged or of another schema, there are no images, or none of the first has the survey's bands,
        pixel scale, unit and size.

    Warns
    -----
    UserWarning
        Which columns were taken for which.
    """
    path = Path(path)
    files = _files(path)
    if not files:
        raise FileNotFoundError(f"{path}: no Parquet files in it; give a HATS catalogue whose rows hold images")
    with _open(files[0]) as file:
        images = find_image_column(file.schema_arrow, files[0])
    most = max(1, STAMP_BYTES // (int(np.prod(survey.image_shape)) * 4))
    pieces, facts, gaps, n_before = [], [], {}, 0
    for number, file_path in enumerate(files):
        with _open(file_path) as file:
            missing = [name for name in images.columns if name not in file.schema_arrow.names]
            if missing:
                raise ValueError(f"{file_path}: has no column {', '.join(missing)}, unlike {files[0].name}")
            _add_gaps(gaps, file)
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        name = _name(file_path, number)
        parts = _divide(sizes, most)
        for part, (groups, skipped, n_rows) in enumerate(parts):
            own = name if len(parts) == 1 else f"{name}-{part:05d}"
            pieces.append((file_path, own, groups, skipped, n_before, n_rows))
            n_before += n_rows
        status = file_path.stat()
        inside = file_path.relative_to(path if path.is_dir() else path.parent)
        facts.append((inside, status.st_size, status.st_mtime_ns))
    if not pieces:
        raise ValueError(f"{path}: its {len(files)} Parquet files have no rows; give at least one galaxy")
    kinds = tuple((name, "text" if largest > LARGEST_EXACT else "float") for name, largest in sorted(gaps.items()))
    partitions = tuple(
        ParquetPartition(file, images, survey, kinds, name, groups, skipped, first, n_rows)
        for file, name, groups, skipped, first, n_rows in pieces
    )
    _check_first_rows(partitions[0], path)
    return ImageSource(path, survey, origin, partitions, fingerprint_of(*facts))


def _check_first_rows(partition, path):
    """Raise a ValueError unless one of the first rows has a usable image; warn which column was taken for which."""
    partition._table(announce=True)
    rows = next(part for _, part in partition._batches(partition.images.is_read)).slice(0, N_TRIED)
    _, reasons = stamps_of_rows(rows, partition.images, partition.survey)
    if all(reasons):
        raise ValueError(
            f"{partition.path}: none of the first {len(reasons)} images can be used, the first: {reasons[0]}; give "
            "another --survey or other images"
        )


@contextmanager
def _open(path, with_checksum=True):
    """Open a Parquet file in a `with` statement; errors become one line that names it."""
    try:
        with pq.ParquetFile(
            path, pre_buffer=False, buffer_size=2**20, page_checksum_verification=with_checksum
        ) as file:
            check_parquet(file.metadata, Path(path).stat().st_size)
            yield file
    except UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if reason.startswith(f"{path}: "):
            raise
        raise ValueError(f"{path}: cannot be read as Parquet with images ({reason}); fetch it again") from error


def _files(path):
    """Data files of a catalogue in the order of their pixels, or of a folder by name."""
    if path.is_file():
        return [path]
    collection = path / "collection.properties"
    if collection.is_file():
        text = collection.read_text(errors="replace")
        primary = re.search(r"^\s*hats_primary_table_url\s*=\s*(\S+)", text, re.MULTILINE)
        if primary and (path / primary[1]).is_dir():
            path = path / primary[1]
    found = [file for file in (path / "dataset").rglob("*.parquet") if _pixel(file)]
    if found:
        return sorted(found, key=lambda file: (_pixel(file), file.name))
    return sorted(path.glob("*.parquet"))


def _pixel(path):
    """(order, pixel) by the name of a file or, of a partition of several files, of its folder; None for another one."""
    for part in (path.stem, path.parent.name):
        pixel = re.fullmatch(r"Npix=(\d+)", part)
        order = re.search(r"Norder=(\d+)", str(path))
        if pixel and order:
            return int(order[1]), int(pixel[1])
    return None


def _name(path, number):
    """Name of the partition of a file."""
    pixel = _pixel(path)
    if pixel is None:
        return path.stem if path.parent.name != "dataset" else f"part-{number:05d}"
    inside = "" if path.stem.startswith("Npix=") else f"-{path.stem}"
    return f"order{pixel[0]}-pixel{pixel[1]}{inside}"


def _divide(sizes, most):
    """Pieces (row groups, rows skipped in the first of them, rows) of a file, of at most so many rows."""
    if sum(sizes) <= most:
        return [(tuple(range(len(sizes))), 0, sum(sizes))] if sum(sizes) else []
    pieces, groups, rows = [], [], 0
    for group, size in enumerate(sizes):
        if groups and rows + size > most:
            pieces.append((tuple(groups), 0, rows))
            groups, rows = [], 0
        if size > most:
            pieces += [((group,), start, min(most, size - start)) for start in range(0, size, most)]
        elif size:
            groups.append(group)
            rows += size
    return pieces + [(tuple(groups), 0, rows)] * bool(groups)


def _add_gaps(gaps, file):
    """Add the integer columns of a file that have nulls, and the largest magnitude of their values."""
    metadata, schema = file.metadata, file.schema_arrow
    names = {field.name for field in schema if pa.types.is_integer(field.type) or pa.types.is_boolean(field.type)}
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            statistics = column.statistics if column.path_in_schema in names else None
            if statistics is not None and statistics.null_count:
                known = [abs(int(value)) for value in (statistics.min, statistics.max) if value is not None]
                gaps[column.path_in_schema] = max(gaps.get(column.path_in_schema, 0), *known, 0)
