"""Astropy tables as FITS or Parquet files, with units, descriptions and meta.

A table is written to a file and read back unchanged; the modules that define a format check its content. FITS keeps
meta as header keywords of the table's HDU, Parquet as JSON under `photoz_morph` in the metadata of the file. Keywords
have eight letters at most, under `KEYWORDS` for longer keys: astropy warns of others when it writes a table again.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.table import Column, Table

from photoz_morph.system.columns import ascii_text, plain_columns, require_distinct_names
from photoz_morph.system.sizes import check_fits, check_parquet

KEYWORDS = {  # key of meta -> keyword; other keys of more than eight letters become HIERARCH cards
    "adaptation": "adaptatn", "noise_augmentation": "noiseaug", "pixel_augmentation": "pixelaug",
    "seed_number": "seednumb", "search_seed": "srchseed", "precision": "precisn", "n_looked_at": "nlooked",
    "max_queries": "maxquery", "population": "populatn", "objective": "objectiv",
}  # fmt: skip
FITS_CARDS = ("extname", "checksum", "datasum")  # of the HDU, no part of the table's meta


def write_fits(table, path, hdu_name="PREDICTIONS", image_hdus=(), with_checksum=False):
    """Write a table as a binary table of a FITS file; keys of meta are header keywords, descriptions are TCOMMn.

    Characters of text that FITS does not allow are written as their code, such as \\xe9.

    Parameters
    ----------
    table : Table
    path : path-like
        An existing file is replaced.
    hdu_name : str
        EXTNAME of the table.
    image_hdus : iterable of ImageHDU
        HDUs that follow the table.
    with_checksum : bool
        Whether each HDU gets its CHECKSUM and DATASUM.
    """
    require_distinct_names(table.colnames)
    bare = table.copy(copy_data=False)
    bare.meta = {}
    hdu = fits.BinTableHDU(ascii_text(bare), name=hdu_name)
    for number, column in enumerate(table.itercols(), 1):
        if column.description:
            hdu.header[f"TCOMM{number}"] = column.description
    for key, value in table.meta.items():
        key = KEYWORDS.get(key, key)
        hdu.header[key.upper() if len(key) <= 8 else f"HIERARCH {key.upper()}"] = value
    hdus = fits.HDUList([fits.PrimaryHDU(), hdu, *image_hdus])
    hdus.writeto(path, overwrite=True, checksum=with_checksum)


def read_fits(path, hdu_name="PREDICTIONS"):
    """Read the table of a FITS file from `write_fits`; a truncated file is an error.

    Parameters
    ----------
    path : path-like
    hdu_name : str
        EXTNAME of the table.

    Returns
    -------
    Table
        As from `table_of`.
    """
    check_fits(path)
    with warnings.catch_warnings():
        # astropy would return the part that is left
        warnings.filterwarnings("error", message=".*truncated|Error validating")
        with fits.open(path, memmap=False) as hdus:
            return table_of(hdus[hdu_name])


def table_of(hdu):
    """Table of a binary table HDU, with meta keys in lower case and numbers in the machine's byte order."""
    require_distinct_names(hdu.columns.names)
    table = plain_columns(Table.read(hdu, mask_invalid=False, character_as_bytes=False))
    header = {key.lower(): value for key, value in table.meta.items()}
    for number, name in enumerate(table.colnames, 1):
        table[name].description = header.pop(f"tcomm{number}", None)
    # Files of earlier versions have the longer keys, as HIERARCH cards.
    keys = {keyword: key for key, keyword in KEYWORDS.items()}
    table.meta = {keys.get(key, key): value for key, value in header.items() if key not in FITS_CARDS}
    return table


def write_parquet(table, path, field_metadata=None):
    """Write a table as one Parquet file, vector columns as fixed-size lists; `field_metadata` as in `to_arrow`."""
    write_arrow(to_arrow(table, field_metadata=field_metadata), path)


def write_arrow(content, path):
    """Write an Arrow table as Parquet; see `parquet_writer`.

    A PDF on 180 bins takes 590 bytes, and 46 in its compact form.
    """
    with parquet_writer(content.schema, path) as writer:
        writer.write_table(content)


def parquet_writer(schema, path):
    """Open a Parquet file for writing, floats split by byte and other columns dictionary-encoded.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of numbers, text, lists, and structures of lists.
    path : path-like

    Returns
    -------
    pyarrow.parquet.ParquetWriter
    """
    fields = {"float": [], "other": []}
    for field in schema:
        for name, kind in _leaves(field.name, field.type):
            fields["float" if pa.types.is_floating(kind) else "other"].append(name)
    return pq.ParquetWriter(
        path, schema, compression="zstd", write_page_checksum=True,
        use_byte_stream_split=fields["float"], use_dictionary=fields["other"],
    )  # fmt: skip


def _leaves(name, kind):
    """Names of the Parquet columns of a field, with their types."""
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{name}.{field.name}", field.type)
    elif pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        yield f"{name}.list.element", kind.value_type
    else:
        yield name, kind


def read_parquet(path, names=None):
    """Read a table from `write_parquet`, with its meta, units and descriptions; a damaged page is an error.

    Parameters
    ----------
    path : path-like
    names : list of str, optional
        Columns to read; all by default.

    Returns
    -------
    Table
    """
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        check_parquet(file.metadata, Path(path).stat().st_size)
        return from_arrow(file.read(names))


def to_arrow(table, with_fixed_lists=True, field_metadata=None):
    """Arrow table of an astropy table: vectors are lists, meta is JSON, each field has its unit and description.

    Parameters
    ----------
    table : Table
    with_fixed_lists : bool
        Whether a vector column is a list of fixed size, which Parquet files of one table allow, or of any.
    field_metadata : dict of str to dict of str to str, optional
        Column -> further metadata of its field.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    ValueError
        If a column has more than two dimensions.
    """
    require_distinct_names(table.colnames)
    fields, arrays = [], []
    for name in table.colnames:
        column = table[name]
        if column.ndim > 2:
            raise ValueError(f"column {name} has shape {column.shape}; Parquet takes one number or vector per galaxy")
        array = pa.array(np.asarray(column).ravel())
        if column.ndim == 2 and with_fixed_lists:
            array = pa.FixedSizeListArray.from_arrays(array, column.shape[1])
        elif column.ndim == 2:
            starts = pa.array(np.arange(len(column) + 1, dtype=np.int32) * column.shape[1])
            array = pa.ListArray.from_arrays(starts, array)
        notes = {"unit": str(column.unit or ""), "description": column.description or ""}
        notes |= (field_metadata or {}).get(name, {})
        fields.append(pa.field(name, array.type, metadata=notes))
        arrays.append(array)
    header = {"photoz_morph": json.dumps(table.meta, default=lambda number: number.item())}
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=header))


def from_arrow(stored):
    """Table of an Arrow table from `to_arrow`, with its meta, units and descriptions."""
    require_distinct_names(stored.column_names)
    columns = []
    for field, chunks in zip(stored.schema, stored.columns):
        is_list = pa.types.is_list(field.type) or pa.types.is_fixed_size_list(field.type)
        parts = [chunk.flatten() for chunk in chunks.chunks] if is_list else chunks.chunks
        nothing = np.empty(0, (field.type.value_type if is_list else field.type).to_pandas_dtype())
        # Not combine_chunks, whose copy could not be written to and would be copied again.
        values = np.concatenate([nothing, *(part.to_numpy(zero_copy_only=False) for part in parts)])
        if is_list:
            values = values.reshape(len(chunks), getattr(field.type, "list_size", -1))
        elif values.dtype == object:
            values = values.astype(str)
        notes = {key.decode(): text.decode() or None for key, text in (field.metadata or {}).items()}
        notes = {key: notes.get(key) for key in ("unit", "description")}
        columns.append(Column(values, name=field.name, **notes))
    return Table(columns, meta=json.loads(stored.schema.metadata[b"photoz_morph"]), copy=False)
