"""What every format of galaxy images is to the rest of the package: a source of partitions.

A partition is a part of the source that is read as a whole, some hundreds to thousands of galaxies. Each format has a
partition of its own, a frozen dataclass that can be pickled, with

- `name` (str): unique in its source and stable, such as "stacks-00003"; outputs are named by it;
- `n_rows` (int): galaxies;
- `read(rows=None, with_checksum=True)`: images, float32 (n, size, size, n_bands) in the unit and band order of the
  survey, and their table, of all galaxies or of those of an array of row numbers; what is read is compared with
  checksums where the format has them;
- `read_table()`: the table of all galaxies, without reading a pixel.

A class may say `knows_flags = True`: then no galaxy is flagged by its pixels alone.

The table has one row per galaxy in the order of the source and at least the columns of `shards.stacks`: `obj_id`,
`group_id`, `ra`, `dec` [deg], `z_spec`, `ebv` [mag], `flag`. Where `flag` is 1 the pixels are NaN and `flag_reason`
says why. What only the pixels show, such as a value that is not finite, is flagged by `read` and not by `read_table`.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from photoz_morph.surveys import ImagingSurvey

ORIGINS = ("simulated", "stacked")
PARTITION_ROWS = 1000  # galaxies of a partition where the format leaves the choice; 82 MB of SDSS stamps
PARTITION_BYTES = 2**27  # of the images in the file, for larger images


@dataclass(frozen=True)
class ImageSource:
    """Galaxies with images, in partitions.

    Attributes
    ----------
    path : Path
    survey : ImagingSurvey
        That the images are of.
    origin : str
        "simulated" or "stacked" (real pixels).
    partitions : tuple
        In the order of the galaxies; see this module.
    fingerprint : str
        32 hexadecimal digits that change when the content does.
    facts : dict
        `engine` and `combine` of the stacks, where known; see `system.provenance`.
    """

    path: Path
    survey: ImagingSurvey
    origin: str
    partitions: tuple
    fingerprint: str
    facts: dict = field(default_factory=dict)

    @property
    def n_rows(self):
        """Number of galaxies."""
        return sum(partition.n_rows for partition in self.partitions)


def rows_at_once(row_bytes):
    """Galaxies of a partition where the format leaves the choice: `PARTITION_ROWS`, fewer of large images."""
    return max(1, min(PARTITION_ROWS, PARTITION_BYTES // max(row_bytes, 1)))


def fingerprint_of(*facts):
    """Fingerprint of a source: a hash of facts that change with its content, such as sizes and checksums."""
    digest = hashlib.blake2b(digest_size=16)
    for fact in facts:
        digest.update(f"{fact}\n".encode())
    return digest.hexdigest()


def file_facts(path):
    """Name, size and time of the last change of a file, for the fingerprint of formats without checksums."""
    status = Path(path).stat()
    return Path(path).name, status.st_size, status.st_mtime_ns


def check_survey(own, survey, source):
    """Raise a ValueError if stacks that say which survey they are of, `own`, are not of `survey`; None passes."""
    different = survey is not None and own.difference(survey)
    if different:
        raise ValueError(f"{source}: stacks of {own.name}, not of {survey.name} ({different}); give another folder")


def check_origin(origin, source):
    """Raise a ValueError unless an origin is one of `ORIGINS`."""
    if origin not in ORIGINS:
        raise ValueError(f"{source}: origin is {origin!r}, it must be {' or '.join(ORIGINS)}")
    return origin
