"""One FITS or Parquet file from a table in parts, written part by part."""

import io

import numpy as np
import pyarrow as pa
from astropy.io import fits
from astropy.table import Column

from photoz_morph.system.columns import ascii_text
from photoz_morph.system.tables import parquet_writer, to_arrow, write_fits

GROUP_ROWS = 16_384  # of a row group in Parquet: 12 MB of PDFs on 180 bins
BLOCK = 2880  # bytes that a FITS file is a multiple of


def join_fits(parts, path, hdu_name="PREDICTIONS"):
    """Write a table in parts as a FITS file, the same as `write_fits` of the whole table.

    Parameters
    ----------
    parts : Parts or OnePart
    path : path-like
        An existing file is replaced.
    hdu_name : str
        EXTNAME of the table.
    """
    widths = text_widths(parts, "ascii")
    header, _ = _fits_of(_fixed_text(parts.template, widths), hdu_name)
    header["NAXIS2"] = parts.n_rows
    with open(path, "wb") as file:
        for one in (fits.PrimaryHDU().header, header):
            file.write(one.tostring().encode("ascii"))
        for table in parts.tables():
            file.write(_fits_of(_fixed_text(table, widths), hdu_name)[1])
        file.write(b"\0" * (-header["NAXIS1"] * parts.n_rows % BLOCK))


def _fixed_text(table, widths):
    """Copy with text as bytes of the widths of the whole table, in ASCII."""
    fixed = ascii_text(table.copy(copy_data=False))
    for name, width in widths.items():
        notes = {"unit": fixed[name].unit, "description": fixed[name].description}
        fixed[name] = Column(np.asarray(fixed[name]).astype(f"S{width}"), **notes)
    return fixed


def _fits_of(table, hdu_name):
    """Header of a table's HDU and the bytes of its rows."""
    stream = io.BytesIO()
    write_fits(table, stream, hdu_name)
    content = stream.getvalue()
    with fits.open(io.BytesIO(content)) as hdus:
        header, where = hdus[1].header, hdus.fileinfo(1)["datLoc"]
    return header, content[where : where + header["NAXIS1"] * header["NAXIS2"]]


def text_widths(parts, encoding):
    """Width of each text column in bytes, at least 1.

    Parameters
    ----------
    parts : Parts or OnePart
    encoding : {"ascii", "utf-8"}
        In ASCII other characters are their code, such as \\xe9.

    Returns
    -------
    dict of str to int
    """
    widths = {name: 1 for name in parts.template.colnames if parts.template[name].dtype.kind == "U"}
    if widths:
        for table in parts.tables(widths):
            for name in widths:
                values = np.char.encode(np.asarray(table[name]), encoding, "backslashreplace")
                widths[name] = max(widths[name], int(np.char.str_len(values).max(initial=1)))
    return widths


def join_parquet(parts, path, field_metadata=None):
    """Write a table in parts as one Parquet file, which reads back as that of `write_parquet` of the whole table.

    Parameters
    ----------
    parts : Parts or OnePart
    path : path-like
    field_metadata : dict, optional
        As in `system.tables.to_arrow`.
    """
    arrow = (to_arrow(table, field_metadata=field_metadata) for table in parts.tables())
    schema = to_arrow(parts.template, field_metadata=field_metadata).schema
    with parquet_writer(schema, path) as writer:
        for group in row_groups(arrow):
            writer.write_table(group)


def row_groups(tables, n_rows=GROUP_ROWS):
    """Join Arrow tables to ones of at least `n_rows` rows, the last of fewer."""
    waiting = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= n_rows:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
