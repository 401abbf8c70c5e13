"""Atomic preparation of a dataset, shared by the builders of this package."""

import contextlib
import io

import tensorflow_datasets as tfds

from photoz_morph.system.locks import locked


def prepare(builder, source_dir, overwrite=False):
    """Write the dataset of a builder; an existing one is kept until the new one is complete.

    Parameters
    ----------
    builder : tfds.core.GeneratorBasedBuilder
    source_dir : path-like
        Folder that the builder reads.
    overwrite : bool
        Whether to replace an existing dataset.

    Raises
    ------
    ValueError
        If the dataset exists and `overwrite` is False, or another process is writing it.
    """
    if builder.data_path.exists() and not overwrite:
        raise ValueError(f"{builder.data_path}: the dataset exists; use it, or replace it with --overwrite")
    with locked(builder.data_path.parent, "give another --data-dir"):
        _replace(builder, source_dir)


def _replace(builder, source_dir):
    """Write the dataset; an earlier one is moved aside until the new one is complete."""
    for abandoned in builder.data_path.parent.glob("incomplete.*"):
        abandoned.rmtree()
    earlier = builder.data_path.with_name("replaced")  # until the new one is complete
    if builder.data_path.exists():
        if earlier.exists():
            earlier.rmtree()
        builder.data_path.rename(earlier)
    tfds.disable_progress_bar()
    settings = tfds.download.DownloadConfig(manual_dir=str(source_dir))
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # TFDS reports downloads, and there are none
            builder.download_and_prepare(download_config=settings)
    except BaseException:
        if earlier.exists() and not builder.data_path.exists():
            earlier.rename(builder.data_path)
        raise
    if earlier.exists():
        earlier.rmtree()
