"""A dataset written whole: what the builders of this package share."""

import contextlib
import io

import tensorflow_datasets as tfds


def prepare(builder, source_dir, overwrite=False):
    """Write the dataset of a builder; one that is there stays until the new one is whole.

    Parameters
    ----------
    builder : tfds.core.GeneratorBasedBuilder
    source_dir : path-like
        What the builder reads.
    overwrite : bool
        Whether to replace a dataset that is there.

    Raises
    ------
    ValueError
        If a dataset is there already and is not to be replaced.
    """
    if builder.data_path.exists() and not overwrite:
        raise ValueError(f"{builder.data_path}: a dataset is there; use it, or replace it with --overwrite")
    for abandoned in builder.data_path.parent.glob("incomplete.*"):
        abandoned.rmtree()
    earlier = builder.data_path.with_name("replaced")  # until the new one is whole
    if builder.data_path.exists():
        if earlier.exists():
            earlier.rmtree()
        builder.data_path.rename(earlier)
    tfds.disable_progress_bar()
    settings = tfds.download.DownloadConfig(manual_dir=str(source_dir))
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints of downloads; here nothing is downloaded
            builder.download_and_prepare(download_config=settings)
    except BaseException:
        if earlier.exists() and not builder.data_path.exists():
            earlier.rename(builder.data_path)
        raise
    if earlier.exists():
        earlier.rmtree()
