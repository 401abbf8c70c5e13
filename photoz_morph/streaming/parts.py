"""A table in parts, of which one at a time is in memory.

`Parts` reads Parquet files, `OnePart` is a table that is in memory anyway. What writes a table of any length takes
either: it asks for `template`, `n_rows` and, as often as it needs, `tables`.
"""

import numpy as np
import pyarrow.parquet as pq
from astropy.table import Column, Table

from photoz_morph.system.tables import from_arrow, read_parquet

MISSING_DTYPES = {"b": np.float64, "i": np.float64, "u": np.float64}  # of a column that some parts lack: NaN there


class OnePart:
    """A table in memory, as a single part.

    Attributes
    ----------
    template : Table
        No rows; the columns, their types, units and descriptions, and the meta.
    n_rows : int
    """

    def __init__(self, table):
        self._table = table
        self.template, self.n_rows = table[:0], len(table)

    def tables(self, names=None):
        """Iterate over the table, or over some of its columns."""
        yield self._table if names is None else self._table[list(names)]


class Parts:
    """A table in Parquet files of `write_parquet`, in the order of its rows.

    Columns have the type that holds the values of all parts: integers are floats if they are so in one part, or missing
    in it (NaN there), and text if they are text in one part. The meta is that of the first part.

    Parameters
    ----------
    paths : sequence of path-like
        At least one.

    Attributes
    ----------
    template, n_rows
        As for `OnePart`.

    Raises
    ------
    ValueError
        If the vectors of a column have different lengths.
    """

    def __init__(self, paths):
        self.paths = tuple(paths)
        self.n_rows, schema, templates = 0, None, []
        for path in self.paths:
            metadata = pq.read_metadata(path)
            self.n_rows += metadata.num_rows
            found = metadata.schema.to_arrow_schema()
            if schema is None or not found.equals(schema):
                schema = found
                templates.append(from_arrow(schema.empty_table()))
        self.template = _common_template(templates)

    def tables(self, names=None):
        """Iterate over the parts, or over some of their columns, in the types of `template`."""
        names = self.template.colnames if names is None else list(names)
        for path in self.paths:
            yield self._in_common_types(_read_columns(path, names), names)

    def _in_common_types(self, table, names):
        """A part with the columns and types of the template."""
        columns = []
        for name in names:
            like = self.template[name]
            shape = (len(table), *like.shape[1:])
            is_text = like.dtype.kind == "U"
            if name in table.colnames:
                values = np.asarray(table[name])
            else:
                values = np.full(shape, "" if is_text else np.nan)
            if values.dtype.kind != like.dtype.kind or not is_text:  # text has the width of its part
                values = values.astype(str if is_text else like.dtype, copy=False)
            columns.append(Column(values, name=name, unit=like.unit, description=like.description))
        return Table(columns, meta=self.template.meta, copy=False)


def _read_columns(path, names):
    """A part, or the columns of these names that it has, with an error that says what to do with a damaged one."""
    try:
        there = pq.read_schema(path).names
        return read_parquet(path, [name for name in names if name in there])
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: damaged ({reason}); remove it and run the same command again") from error


def _common_template(templates):
    """Table without rows whose types hold the values of all parts."""
    first, names = templates[0], list(dict.fromkeys(name for one in templates for name in one.colnames))
    common = Table(meta=first.meta)
    for name in names:
        columns = [one[name] for one in templates if name in one.colnames]
        shapes = {column.shape[1:] for column in columns}
        if len(shapes) > 1:
            raise ValueError(f"column {name} has vectors of different lengths, {sorted(shapes)}, in the parts")
        dtypes = [column.dtype for column in columns]
        if len(columns) < len(templates):
            dtypes.append(np.dtype(MISSING_DTYPES.get(dtypes[0].kind, dtypes[0])))
        is_text = any(dtype.kind == "U" for dtype in dtypes)
        dtype = np.dtype("U1") if is_text else np.result_type(*dtypes)
        notes = {"unit": columns[0].unit, "description": columns[0].description}
        common[name] = Column(np.empty((0, *shapes.pop()), dtype), **notes)
    return common
