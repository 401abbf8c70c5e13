"""A table of predictions as one FITS or Parquet file, and back, with units, descriptions and meta.

In go an astropy Table and the name of a file, out comes the same table: `predictions.write_predictions` and
`read_predictions` choose the format and check what is in it. FITS keeps meta as header keywords of HDU `PREDICTIONS`;
Parquet keeps it as JSON under `photoz_morph` in the metadata of the file, and the redshift edges in those of the PDF.
"""

import json
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.table import Column, Table


def plain_columns(table):
    """Native numbers and text without masks: masked floats are NaN, masked text is "", integers have no such value.

    Parameters
    ----------
    table : Table
        Changed in place.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If a column without a value for "unknown" has masked rows.
    """
    for name in table.colnames:
        if table[name].dtype.kind in "SO":  # FITS and TFDS give text as bytes
            text = ["" if value is np.ma.masked else value for value in table[name]]
            text = [value.decode() if isinstance(value, bytes) else str(value) for value in text]
            table[name] = Column(text, unit=table[name].unit, description=table[name].description)
        elif not table[name].dtype.isnative:
            table[name] = table[name].astype(table[name].dtype.newbyteorder("="))
        column = table[name]
        if not hasattr(column, "mask"):
            continue
        if column.dtype.kind not in "fU" and np.any(column.mask):
            raise ValueError(f"catalogue column {name} has {np.sum(column.mask)} masked values; fill or leave it out")
        table[name] = column.filled(np.nan if column.dtype.kind == "f" else None)
        if column.dtype.kind == "U":
            table[name][column.mask] = ""
    return table


def write_fits(table, path):
    """One binary table; keys of meta are header keywords, descriptions are TCOMMn."""
    bare = table.copy(copy_data=False)
    bare.meta = {}
    hdu = fits.BinTableHDU(bare, name="PREDICTIONS")
    for number, column in enumerate(table.itercols(), 1):
        if column.description:
            hdu.header[f"TCOMM{number}"] = column.description
    for key, value in table.meta.items():
        hdu.header[key.upper() if len(key) <= 8 else f"HIERARCH {key.upper()}"] = value
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)


def read_fits(path):
    """Table with meta keys in lower case and numbers in the machine's byte order."""
    with warnings.catch_warnings():
        # astropy would go on with what is left
        warnings.filterwarnings("error", message=".*truncated|Error validating")
        with fits.open(path, memmap=False) as hdus:
            table = Table.read(hdus["PREDICTIONS"], mask_invalid=False, character_as_bytes=False)
    header = {key.lower(): value for key, value in table.meta.items()}
    table = plain_columns(table)
    for number, name in enumerate(table.colnames, 1):
        table[name].description = header.pop(f"tcomm{number}", None)
    table.meta = {key: value for key, value in header.items() if key != "extname"}
    return table


def write_parquet(table, path):
    """One Parquet file, vector columns as fixed-size lists."""
    write_arrow(to_arrow(table), path)


def write_arrow(content, path):
    """Arrow table as Parquet, floats by their bytes and the rest by a dictionary: 590 bytes for a PDF, and 46 coded."""
    fields = {"float": [], "other": []}
    for field in content.schema:
        is_list = pa.types.is_list(field.type) or pa.types.is_fixed_size_list(field.type)
        kind = field.type.value_type if is_list else field.type
        fields["float" if pa.types.is_floating(kind) else "other"].append(field.name + ".list.element" * is_list)
    pq.write_table(
        content, path, compression="zstd", write_page_checksum=True,
        use_byte_stream_split=fields["float"], use_dictionary=fields["other"],
    )  # fmt: skip


def read_parquet(path):
    """Table with its meta, units and descriptions."""
    return from_arrow(pq.read_table(path, page_checksum_verification=True))


def to_arrow(table, with_fixed_lists=True):
    """Arrow table of a Table: vectors are lists; meta is JSON in the metadata, unit and description in the fields'.

    Parameters
    ----------
    table : Table
    with_fixed_lists : bool
        Whether a vector column is a list of fixed size, which Parquet files of one table allow, or of any.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    ValueError
        If a column has more than two dimensions.
    """
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
        if name in ("pdf", "pdf_code"):
            notes["edges"] = json.dumps(_edges(table.meta))
        fields.append(pa.field(name, array.type, metadata=notes))
        arrays.append(array)
    header = {"photoz_morph": json.dumps(table.meta, default=lambda number: number.item())}
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=header))


def _edges(meta):
    """Redshift edges of the bins, a list, for readers that know nothing of the grid."""
    return np.linspace(meta["z_min"], meta["z_max"], meta["n_bins"] + 1).tolist()


def from_arrow(stored):
    """Table of an Arrow table from `to_arrow`, with its meta, units and descriptions."""
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
