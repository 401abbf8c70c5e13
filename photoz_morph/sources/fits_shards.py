"""Folder of FITS shards, as `photoz stack` and `photoz simulate` write them; a shard is a partition.

A pixel that is not finite in a galaxy without a flag is an error here, not a flagged row: the shards have checksums and
their writers flag what they could not make, so that it is damage.
"""

from dataclasses import dataclass
from pathlib import Path

from photoz_morph.shards.stacks import find_shards, read_catalog, read_shard, survey_of
from photoz_morph.sources.source import ImageSource, check_survey, fingerprint_of
from photoz_morph.system.fits import open_fits
from photoz_morph.system.provenance import joined_facts, stacking_facts

SAME = ("SURVEY", "SURVDESC", "BANDS", "PIXSCALE", "BUNIT", "ORIGIN")  # cards that all shards of a folder share


@dataclass(frozen=True)
class ShardPartition:
    """One shard; see `sources.source`."""

    path: Path
    n_rows: int
    knows_flags = True

    @property
    def name(self):
        """Name of the file without its suffix."""
        return self.path.stem

    def read(self, rows=None, with_checksum=True):
        """Images and table; the checksum is that of the whole file, which is read for it."""
        images, table, _ = read_shard(self.path, rows, with_checksum)
        return images, table

    def read_table(self):
        """Table without pixels."""
        return read_catalog(self.path)[0]


def open_shards(folder, survey=None):
    """Open a folder of shards.

    Parameters
    ----------
    folder : path-like
    survey : ImagingSurvey, optional
        That the shards must be of.

    Returns
    -------
    ImageSource

    Raises
    ------
    FileNotFoundError
        If there are none.
    ValueError
        If a shard is truncated or no shard, of another survey or origin than the others, or not of `survey`.
    """
    paths = find_shards(folder)
    first = read_catalog(paths[0])[1]
    own = survey_of(paths[0], first)
    partitions, facts, stacked = [], [], []
    for path in paths:
        with open_fits(path, "a shard of stacks") as hdus:
            header, catalog = hdus[0].header, hdus["CATALOG"].header
            facts.append((path.name, *(hdus[name].header.get("DATASUM") for name in ("IMAGE", "CATALOG"))))
            partitions.append(ShardPartition(path, catalog["NAXIS2"]))
            stacked.append(stacking_facts(header))
        for keyword in SAME:
            if header.get(keyword) != first.get(keyword):
                what = f"{keyword} is {header.get(keyword)}, in {paths[0].name} it is {first.get(keyword)}"
                if keyword == "SURVDESC":
                    different = survey_of(path, header).difference(own) or "the descriptions differ"
                    what = f"stacks of another survey than those of {paths[0].name} ({different})"
                raise ValueError(
                    f"{path}: {what}; keep stacks of different surveys, and simulated and stacked ones, in folders of "
                    "their own"
                )
    check_survey(own, survey, paths[0])
    return ImageSource(
        Path(folder), survey or own, first["ORIGIN"], tuple(partitions), fingerprint_of(*facts), joined_facts(stacked)
    )
