"""What the builders of this package share: splits, the hash of the content, the build itself, checks of the shards."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from photoz_morph.catalogs.folds import SPLITS, assign_split
from tfds_builders.prepare import ContentHash, example_digest, prepare


class ExampleBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Builder of a dataset whose examples are read elsewhere, by this process or by a Beam pipeline.

    Parameters
    ----------
    facts : dict, optional
        Settings of the examples, for features and metadata; by default those of the class.
    examples : callable, optional
        Split to an iterable of (split, key, example).
    on_example : callable, optional
        Called once an example, for a progress bar.
    pipeline : BeamBuild, optional
        Makes the examples; by default this process does.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    splits = SPLITS
    facts = {}

    def __init__(self, *, facts=None, examples=None, on_example=None, pipeline=None, **kwargs):
        self.facts = facts or self.facts
        self._examples, self._on_example, self._pipeline = examples, on_example or (lambda: None), pipeline
        self._content = ContentHash()
        super().__init__(**kwargs)

    def _split_generators(self, dl_manager):
        if self._pipeline:
            return self._pipeline.generators(self.splits, self.data_dir)
        return {split: self._generate_examples(split) for split in self.splits}

    def _generate_examples(self, split):
        for _, key, example in self._examples(split):
            self._on_example()
            self._content.add(split, example)
            yield key, example
        self.info.metadata["content_hash"] = self._content.hexdigest()

    def _process_pipeline_result(self, pipeline_result):
        self._content.add_digest(self._pipeline.digest(self.data_dir))
        self.info.metadata["content_hash"] = self._content.hexdigest()


def build_parts(
    builder_class, facts, parts, read, total, source_dir, data_dir, overwrite, progress, pipeline=None, unit="galaxies"
):  # fmt: skip
    """Write the dataset of the examples of parts, such as shards.

    Parameters
    ----------
    builder_class : type
        Subclass of `ExampleBuilder`.
    facts : dict
    parts : sequence
        Paths, tuples with paths in them, or other things that can be read.
    read : callable
        (part, splits) to an iterable of (split, key, example), and part to that of all splits; picklable.
    total : int or None
        Number of examples, where it is known.
    source_dir, data_dir : path-like
    overwrite, progress : bool
    pipeline : callable, optional
        (partitions, read, digest, number of examples) to the `photoz_morph.beam.build.BeamBuild` that makes the
        examples; by default this process does.
    unit : str
        Of the progress bar.

    Returns
    -------
    ExampleBuilder
        That has written the dataset.
    """
    if pipeline:
        data_dir = Path(data_dir).absolute()  # workers may have another working folder
        pipeline = pipeline([_absolute(part) for part in parts], read, example_digest, total)

    def examples(split):
        for part in parts:
            yield from read(part, (split,))

    with tqdm(total=total, desc="build", unit=f" {unit}", disable=not progress or bool(pipeline)) as bar:
        builder = builder_class(
            facts=facts, examples=examples, on_example=bar.update, pipeline=pipeline, data_dir=data_dir
        )
        prepare(builder, source_dir, overwrite, pipeline)
    return builder


def _absolute(part):
    """A part with absolute paths."""
    if isinstance(part, tuple):
        return tuple(map(_absolute, part))
    return part.absolute() if isinstance(part, Path) else part


def only_settings(folder, settings):
    """The settings of the shards of a folder, a dict.

    Parameters
    ----------
    folder : path-like
    settings : iterable of dict
        Of each shard.

    Raises
    ------
    ValueError
        If they differ.
    """
    settings = {tuple(of_shard.items()) for of_shard in settings}
    if len(settings) > 1:
        differing = {name for name, _ in set.union(*map(set, settings)) - set.intersection(*map(set, settings))}
        raise ValueError(f"{folder}: shards of different {', '.join(sorted(differing))} in one folder; keep them apart")
    return dict(settings.pop())


def check_ids(folder, obj_id, remedy):
    """Raise a ValueError with a remedy if an obj_id occurs twice."""
    ids, repeats = np.unique(obj_id, return_counts=True)
    if np.any(repeats > 1):
        raise ValueError(f"{folder}: obj_id {ids[repeats > 1][0]} occurs twice; {remedy}")


def split_counts(source, group_id, noun, remedy, weight=1):
    """Number of examples in each split.

    Parameters
    ----------
    source : path-like
        Named in errors, with `noun` and `remedy`.
    group_id : ndarray of int, shape (n,)
    noun, remedy : str
    weight : int or ndarray of int, shape (n,)
        Examples made of each row.

    Returns
    -------
    dict of str to int

    Raises
    ------
    ValueError
        If a split would be empty, which TFDS does not write.
    """
    found = assign_split(group_id) if len(group_id) else np.array([], str)
    counts = {split: int(np.sum(weight * (found == split))) for split in SPLITS}
    if empty := [split for split in SPLITS if counts[split] == 0]:
        raise ValueError(f"{source}: {len(np.unique(group_id))} {noun} leave none for {', '.join(empty)}; {remedy}")
    return counts
