"""Prediction of one partition of an LSDB catalogue whose rows hold images, for `Catalog.map_partitions`.

    catalog = lsdb.open_catalog("cutouts.hats")
    catalog.map_partitions(predict_partition, model="export").write_catalog("photoz.hats")

Dask computes the partitions, on one machine or many. The images are those that `sources.hats` reads. Needs the package
lsdb, or nested-pandas alone for a single frame.
"""

import threading
from functools import lru_cache

import numpy as np
import pyarrow as pa
from astropy.table import Table, vstack

from photoz_morph.catalogs.table_files import columns_of_arrow
from photoz_morph.photoz.exported_model import load_exported_model
from photoz_morph.photoz.formats.compact import edges_metadata
from photoz_morph.photoz.formats.hats import with_rubin_names
from photoz_morph.photoz.infer import infer_images
from photoz_morph.photoz.predictions import CALIBRATED, ESTIMATES
from photoz_morph.sources.galaxy_columns import flag_rows, galaxy_table
from photoz_morph.sources.image_rows import find_image_column, stamps_of_rows
from photoz_morph.sources.source import rows_at_once
from photoz_morph.sources.stamps import flag_bad_pixels
from photoz_morph.system.tables import to_arrow

# Columns, beside Rubin's names of the point estimates.
ADDED = ("ebv", "ebv_source", "flag_reason", *ESTIMATES, *CALIBRATED)
LOADING = threading.Lock()  # Dask's threads share one model


def predict_partition(frame, model, origin="stacked"):
    """Predict the galaxies of one partition.

    Parameters
    ----------
    frame : NestedFrame or DataFrame
        A column of images (see `sources.image_rows`), and where known `ra`, `dec` [deg] and E(B-V) [mag] under the
        names that a catalogue may have. May be empty: LSDB asks for the columns of the result that way.
    model : path-like
        Folder of an exported model, which each process loads once. Images are taken to be of its survey.
    origin : str
        "simulated" or "stacked" (real pixels).

    Returns
    -------
    NestedFrame
        The columns of `frame` without the images, its index, and `ebv`, `ebv_source`, `flag`, `flag_reason`, `z_phot`,
        `z_median`, `z_mode`, `z_lower`, `z_upper`, `pdf` (nested: `pdf.z`, `pdf.probability`) and Rubin's names
        `{algo}_z_{point}`. A galaxy that cannot be predicted keeps its row, with NaN, `flag` 1 and the reason.

    Raises
    ------
    ValueError
        If there is no column of images, or no exported model.
    """
    import pandas as pd
    from nested_pandas import NestedDtype, NestedFrame

    model = _loaded(str(model))
    content = pa.Table.from_pandas(frame, preserve_index=False)
    column = find_image_column(content.schema, "partition")
    table = _predicted(content, column, model, origin)
    arrow = to_arrow(table, with_fixed_lists=False, field_metadata=edges_metadata(table.meta))
    arrow = with_rubin_names(arrow, table.meta)
    result = NestedFrame(frame.drop(columns=[column.name]))
    for name in arrow.column_names:
        if name in ADDED or name not in table.colnames:
            values = arrow[name].combine_chunks()
            kind = NestedDtype(values.type) if name == "pdf" else pd.ArrowDtype(values.type)
            result[name] = pd.Series(values, index=frame.index, dtype=kind)
    return result


@lru_cache(maxsize=2)
def _load(folder):
    return load_exported_model(folder)


def _loaded(folder):
    """Exported model of a folder, loaded once by one of the threads."""
    with LOADING:
        return _load(folder)


def _predicted(content, column, model, origin):
    """Predictions table of the rows of an Arrow table; as many rows as one partition of a file are stamps at a time."""
    step = rows_at_once(int(np.prod(model.survey.image_shape)) * 4)
    return vstack(
        [
            _predicted_rows(content.slice(first, step), first, column, model, origin)
            for first in range(0, max(content.num_rows, 1), step)
        ],
        metadata_conflicts="silent",
    )


def _predicted_rows(content, first, column, model, origin):
    """Predictions table of a few rows."""
    columns = columns_of_arrow(content.drop_columns([column.name]), "partition")
    if not columns.colnames:
        columns = Table({"row": first + np.arange(content.num_rows)})
    table = galaxy_table(columns, model.survey.bands, "partition", first)
    images, reasons = stamps_of_rows(content, column, model.survey)
    bad = [row for row, reason in enumerate(reasons) if reason]
    flag_rows(table, bad, [reasons[row] for row in bad])
    flag_bad_pixels(images, table, model.survey)
    return infer_images(model, images, table, origin, "partition")
