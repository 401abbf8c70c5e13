"""Dataset that `photoz build` wrote: its galaxies fold by fold in the stored order.

TensorFlow reads it, and verifies the checksum of every galaxy; it is imported when such a folder is opened.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.table import Table

from photoz_morph.sources.galaxy_columns import galaxy_table
from photoz_morph.sources.source import ImageSource, check_survey, fingerprint_of, rows_at_once
from photoz_morph.sources.stamps import flag_bad_pixels
from photoz_morph.surveys import SDSS, ImagingSurvey, survey_from_dict
from photoz_morph.system.json_files import read_json
from photoz_morph.system.provenance import MAY_DIFFER

REMEDY = "build it again with --overwrite"


@dataclass(frozen=True)
class TfdsPartition:
    """Consecutive galaxies of a fold; see `sources.source`."""

    folder: Path
    split: str
    survey: ImagingSurvey
    name: str
    first: int  # in its fold
    n_rows: int
    knows_flags = True

    def read(self, rows=None, with_checksum=True):
        """Images and table."""
        from photoz_morph.datasets.reading import read_galaxies

        rows = np.arange(self.n_rows) if rows is None else np.asarray(rows)
        galaxies = read_galaxies(_builder(self.folder), self._slice(), {"image": True}).as_numpy_iterator()
        images = np.stack([galaxy["image"] for galaxy in galaxies])[rows]
        table = self.read_table()[rows]
        flag_bad_pixels(images, table, self.survey)
        return images, table

    def read_table(self):
        """Table without pixels."""
        from photoz_morph.datasets.reading import read_columns

        columns = read_columns(_builder(self.folder), self._slice())
        return galaxy_table(Table(columns), self.survey.bands, self.folder)

    def _slice(self):
        return f"{self.split}[{self.first}:{self.first + self.n_rows}]"


def find_dataset(folder):
    """Version folder of a dataset that `photoz build` wrote to a folder, or the folder itself; None for others."""
    folder = Path(folder)
    found = sorted(folder.glob("*/*/dataset_info.json")) or sorted(folder.glob("dataset_info.json"))
    return found[-1].parent if found else None


def open_tfds(folder, survey=None):
    """Open a dataset of stacks.

    Parameters
    ----------
    folder : path-like
        The folder given to `photoz build`, or a version folder in it.
    survey : ImagingSurvey, optional
        That the stacks must be of.

    Returns
    -------
    ImageSource

    Raises
    ------
    ValueError
        If it is damaged, no dataset of stacks, or one of another survey.
    """
    folder = find_dataset(folder)
    name = read_json(folder / "dataset_info.json", ("name",), REMEDY)["name"]
    builder = _builder(folder)
    if "image" not in builder.info.features:
        raise ValueError(f"{folder}: dataset {name} holds no stacks; give one that `photoz build` wrote")
    stored = builder.info.metadata.get("survey")
    own = SDSS if stored is None else survey_from_dict(stored, f"{folder}: metadata")
    check_survey(own, survey, folder)
    step = rows_at_once(int(np.prod(own.image_shape)) * 4)
    partitions = tuple(
        TfdsPartition(folder, split, own, f"{split}-{number:05d}", first, min(step, info.num_examples - first))
        for split, info in builder.info.splits.items()
        for number, first in enumerate(range(0, info.num_examples, step))
    )
    fingerprint = fingerprint_of(builder.info.metadata.get("content_hash"), *(part.n_rows for part in partitions))
    metadata = builder.info.metadata
    facts = {key: metadata[key] for key in MAY_DIFFER if metadata.get(key)}
    return ImageSource(folder, own, metadata["origin"], partitions, fingerprint, facts)


@lru_cache(maxsize=2)
def _builder(folder):
    from photoz_morph.datasets.reading import open_dataset

    return open_dataset(folder, read_json(folder / "dataset_info.json", ("name",), REMEDY)["name"])
