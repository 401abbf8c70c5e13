"""Parts of a catalogue that several processes or machines stack into one folder, each its own shards."""

import contextlib
import re
from dataclasses import dataclass
from fractions import Fraction

from photoz_morph.shards.stacks import shard_path
from photoz_morph.system.locks import is_locked, locked


@dataclass(frozen=True)
class Part:
    """Part `number`, from 1, of `n_parts`."""

    number: int
    n_parts: int

    def __post_init__(self):
        if not 1 <= self.number <= self.n_parts:
            raise ValueError(f"part {self} is none; give (I, N) with I from 1 to N, such as (2, 8)")

    def __str__(self):
        return f"{self.number}/{self.n_parts}"

    def takes(self, shard, n_shards):
        """Whether it has that shard, from 0, of so many: each part has consecutive ones."""
        return shard * self.n_parts // n_shards == self.number - 1

    def meets(self, other):
        """Whether both may have the same shard."""
        starts, ends = zip(*((Fraction(part.number - 1, part.n_parts), Fraction(part.number, part.n_parts))
                             for part in (self, other)))  # fmt: skip
        return max(starts) < min(ends)


@contextlib.contextmanager
def owned_part(folder, part):
    """Own a part of a folder of shards, or all of it where the part is None.

    Raises
    ------
    ValueError
        If another process owns the same part, or one that may have the same shards.
    """
    if part is None:
        with locked(folder):
            for other in _parts_in_work(folder):
                raise ValueError(f"{folder}: part {other} is being stacked there; wait until it has finished")
            yield
        return
    with locked(folder / _name(part), "give another --part", is_folder=False):
        if is_locked(folder):
            raise ValueError(f"{folder}: all of it is being stacked by another process; wait until it has finished")
        for other in _parts_in_work(folder):
            if other != part and other.meets(part):
                raise ValueError(
                    f"{folder}: part {other} is being stacked there, which has shards of part {part}; divide the "
                    f"catalogue into {other.n_parts} parts here, too"
                )
        yield


def missing_remark(folder, n_shards):
    """Line about the shards that a folder still lacks, or None."""
    missing = [path for path in (shard_path(folder, i) for i in range(n_shards)) if not path.exists()]
    if not missing:
        return None
    return (
        f"{folder}: {len(missing)} of {n_shards} shards are still missing, the first is {missing[0].name}; stack the "
        "other parts, or run the same command without --part"
    )


def _parts_in_work(folder):
    """Parts of a folder that processes own."""
    for lock in sorted(folder.glob("part-*-of-*.lock")):
        match = re.fullmatch(r"part-(\d+)-of-(\d+)\.lock", lock.name)
        if match and is_locked(lock.with_suffix(""), is_folder=False):
            yield Part(int(match[1]), int(match[2]))


def _name(part):
    return f"part-{part.number}-of-{part.n_parts}"
