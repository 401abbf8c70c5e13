"""Open a prepared TFDS dataset and read its columns or galaxies."""

import re
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from google.protobuf import json_format

from photoz_morph.surveys import SDSS, survey_from_dict

IMAGE_METADATA = ("bands", "pixel_scale", "unit", "engine", "combine", "code")
# Any other is of stacks.
BUILD_COMMANDS = {
    "tng_lsst_mocks": "morph build MOCKS",
    "gri_composites": "morph build MOCKS --sky IMAGES",
    "lsst_maps": "blend build MAPS",
    "cosmology_fields": "blend build FIELDS",
    **{f"{survey}_{kind}": "blend build BLENDS" for survey in ("lsst", "sdss") for kind in ("blends", "pairs")},
}

PART_STEP = (5**0.5 - 1) / 2  # of a split, between two choices of galaxies: no two begin at one place


def open_dataset(folder, name="sdss_ugriz"):
    """Builder of the dataset `photoz build`, `morph build` or `blend build` wrote.

    Parameters
    ----------
    folder : path-like
        The folder given to `build`, or the version folder in it.
    name : str
        `Survey.dataset_name`, "tng_lsst_mocks", "lsst_blends" or another key of `BUILD_COMMANDS`.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, or another dataset.
    """
    folder = Path(folder)
    found = sorted(folder.glob(f"{name}/*/dataset_info.json")) or sorted(folder.glob("dataset_info.json"))
    if not found:
        others = sorted({path.parent.parent.name for path in folder.glob("*/*/dataset_info.json")})
        there = f" of {name}, but of {', '.join(others)}" if others else ""
        command = BUILD_COMMANDS.get(name, "photoz build STACKS")
        raise FileNotFoundError(
            f"{folder}: no prepared dataset found{there}; make one with `{command} --data-dir {folder}`"
            + ", or give the config of that survey" * bool(others)
        )
    try:
        builder = tfds.builder_from_directory(found[-1].parent)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AssertionError, json_format.ParseError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{found[-1].parent}: not a dataset, or a damaged one ({reason}); build it again with --overwrite"
        ) from error
    if builder.name != name:
        raise ValueError(f"{found[-1].parent}: holds {builder.name}, {name} is needed; give another --data-dir")
    return builder


def open_run_dataset(dataset, data_dir, name, describe):
    """Builder of the dataset a run was trained on, or of a copy of it.

    Parameters
    ----------
    dataset : dict
        From `dataset.json` of the run folder.
    data_dir : path-like, optional
        Folder of the copy; by default the path in `dataset`.
    name : str
        As for `open_dataset`.
    describe : callable
        Builder to the entries of `dataset` in which a copy must agree; `content_hash` only where both know it.

    Raises
    ------
    FileNotFoundError, ValueError
        As `open_dataset`, and if it is another dataset, in which a test galaxy may have been trained on.
    """
    builder = open_dataset(data_dir or dataset["path"], name)
    for key, found in describe(builder).items():
        if found != dataset.get(key) and not (key == "content_hash" and None in (found, dataset.get(key))):
            raise ValueError(
                f"{builder.data_dir}: {key.replace('_', ' ')} {found}, the run was trained with {dataset[key]}; a test "
                "galaxy may have been trained on, or look otherwise; build the run's dataset again"
            )
    return builder


def survey_of(builder):
    """Survey whose stacks a dataset holds: by the description stored with it, or SDSS, which has none.

    Raises
    ------
    ValueError
        If the description is damaged.
    """
    stored = builder.info.metadata.get("survey")
    return SDSS if stored is None else survey_from_dict(stored, f"{builder.data_dir}: metadata")


def n_galaxies(builder, split):
    """Number of galaxies of a split expression."""
    return builder.info.splits[split].num_examples


def read_columns(builder, split):
    """All features but the images, as arrays in the stored order, which is that of the predictions.

    Returns
    -------
    dict of str to ndarray, first axis n

    Raises
    ------
    RuntimeError
        If a file of the dataset is damaged.
    """
    names = {name: True for name in builder.info.features if not name.startswith("image")}
    dataset = read_galaxies(builder, split, names).batch(1024)
    try:
        parts = list(dataset.as_numpy_iterator())
    except tf.errors.OpError as error:
        raise damage(builder, split, error) from error
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def damage(builder, split, error):
    """RuntimeError of one line for an error of TensorFlow that comes of a damaged file of a dataset."""
    reason = re.sub(r"\{\{.*?\}\} |\[Op:.*", "", " ".join(str(error).split())).strip()
    return RuntimeError(
        f"{builder.data_dir}, {split}: TensorFlow: {reason}; build the dataset again with --overwrite"
    )


class CachedColumns:
    """Some columns of a dataset, each of its splits read from disk once.

    Parameters
    ----------
    builder : tfds builder
    names : sequence of str
        Features that are not images.
    """

    def __init__(self, builder, names):
        self._builder, self._names, self._of_split = builder, names, {}

    def __call__(self, split):
        """Columns of a split expression in the stored order: a dict of str to ndarray, first axis n."""
        instructions = tfds.core.ReadInstruction.from_spec(split).to_absolute(self._builder.info.splits)
        parts = []
        for part in instructions:
            if part.splitname not in self._of_split:
                columns = read_columns(self._builder, part.splitname)
                self._of_split[part.splitname] = {name: columns[name] for name in self._names}
            rows = slice(part.from_, part.to)
            parts.append({name: values[rows] for name, values in self._of_split[part.splitname].items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in self._names}


def round_slices(split, start, end, n, part):
    """Split expressions of some galaxies of a split, chosen by their stored order, that of a hash of `group_id`.

    Parameters
    ----------
    split : str
    start, end : int
        Galaxies that can be chosen.
    n : int
        How many are; those of a smaller number are among those of a larger one.
    part : int
        Where they begin: 0 with the first, another number somewhere else. They go on at the start after the end.

    Returns
    -------
    list of str
        One or two slices, none for no galaxy.
    """
    first = start + int(part * PART_STEP % 1 * (end - start))
    ahead = min(n, end - first)
    parts = [(first, first + ahead), (start, start + n - ahead)]
    return [f"{split}[{low}:{high}]" for low, high in parts if high > low]


def content_hash(builder):
    """Hash of all examples, from when the dataset was built; None for datasets built before 0.2, which have none."""
    return builder.info.metadata.get("content_hash")


def image_metadata(builder):
    """How the images of a dataset were made and by which code, from when it was built; see `system.provenance`."""
    metadata = builder.info.metadata
    found = {key: metadata[key] for key in IMAGE_METADATA if metadata.get(key)}
    survey = metadata.get("survey", SDSS.name if found else "")  # a description, or not there for SDSS
    return ({"survey": survey if isinstance(survey, str) else survey["name"]} if survey else {}) | found


def read_galaxies(builder, split, features):
    """Galaxies of a split in the stored order, decoding only the named features."""
    settings = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False, add_tfds_id=False)
    return builder.as_dataset(
        split=split, shuffle_files=False, read_config=settings, decoders=tfds.decode.PartialDecoding(features)
    )
