"""Atomic preparation of a dataset and the hash of its content, shared by the builders of this package."""

import contextlib
import hashlib
import io

import numpy as np
import tensorflow_datasets as tfds

from photoz_morph.system.locks import locked


class ContentHash:
    """Hash of the examples of a dataset, whatever their order and the number of shards.

    It tells apart datasets of the same size, say of other fluxes or redshifts. A copy, and a dataset built again from
    the same shards, have the same one.
    """

    def __init__(self):
        self._sum = 0

    def add(self, split, example):
        """Add an example, a dict of numbers and arrays of the types of the features, of a split."""
        self.add_digest(example_digest(split, example))

    def add_digest(self, digest):
        """Add an example by its `example_digest`, or several by the sum of theirs."""
        self._sum = (self._sum + digest) % 2**128

    def hexdigest(self):
        """32 hexadecimal digits."""
        return f"{self._sum:032x}"


def example_digest(split, example):
    """Hash of one example of a split, an int of 128 bits."""
    digest = hashlib.blake2b(split.encode(), digest_size=16)
    for name in sorted(example):
        values = np.ascontiguousarray(example[name])
        digest.update(f"{name} {values.shape}".encode())
        digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False))
    return int.from_bytes(digest.digest(), "little")


def prepare(builder, source_dir, overwrite=False, pipeline=None):
    """Write the dataset of a builder; an existing one is kept until the new one is complete.

    Parameters
    ----------
    builder : tfds.core.GeneratorBasedBuilder
    source_dir : path-like
        Folder that the builder reads.
    overwrite : bool
        Whether to replace an existing dataset.
    pipeline : BeamBuild, optional
        Makes the examples; by default this process does.

    Raises
    ------
    ValueError
        If the dataset exists and `overwrite` is False, or another process is writing it.
    """
    if builder.data_path.exists() and not overwrite:
        raise ValueError(f"{builder.data_path}: the dataset exists; use it, or replace it with --overwrite")
    with locked(builder.data_path.parent, "give another --data-dir"):
        _replace(builder, source_dir, pipeline)


def _replace(builder, source_dir, pipeline):
    """Write the dataset; an earlier one is moved aside until the new one is complete."""
    for abandoned in builder.data_path.parent.glob("incomplete.*"):
        abandoned.rmtree()
    earlier = builder.data_path.with_name("replaced")  # until the new one is complete
    if builder.data_path.exists():
        if earlier.exists():
            earlier.rmtree()
        builder.data_path.rename(earlier)
    tfds.disable_progress_bar()
    settings, run = tfds.download.DownloadConfig(manual_dir=str(source_dir)), contextlib.nullcontext()
    if pipeline:
        settings.beam_runner, settings.beam_options = pipeline.settings.runner, pipeline.settings.options
        run = pipeline.run()
    try:
        with run, contextlib.redirect_stdout(io.StringIO()):  # TFDS reports downloads, and there are none
            builder.download_and_prepare(download_config=settings)
    except BaseException:
        if earlier.exists() and not builder.data_path.exists():
            earlier.rename(builder.data_path)
        raise
    if earlier.exists():
        earlier.rmtree()
