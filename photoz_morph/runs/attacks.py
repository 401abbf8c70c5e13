"""Attacks of a run on disk: a folder for each, with its settings and FITS shards of galaxies.

An attack is a folder with `settings.json`, whose `galaxies` has an entry per galaxy, and `attack-00000.fits`,
`attack-00001.fits` ..., each with HDU `ATTACK`, one row per galaxy, and the images `ORIGINAL` and `ATTACKED`, float32,
shape (n, rows, columns, n_bands). The wings say which columns there are. An interrupted attack keeps its finished
shards and resumes after them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import vstack

from photoz_morph.system.files import write_whole
from photoz_morph.system.fits import open_fits
from photoz_morph.system.json_files import read_json, write_atomically
from photoz_morph.system.tables import table_of, write_fits

IMAGES = ("original", "attacked")


@dataclass(frozen=True)
class AttackFormat:
    """Attacks of one wing.

    Attributes
    ----------
    command : str
        That makes them, such as "morph attack".
    columns : tuple of str
        Of the table, all needed.
    keys : tuple of str
        Of the settings, all needed; `galaxies` is one.
    shard_size : int
        Galaxies.
    fault : callable, optional
        Takes the table of a shard and returns what is wrong with it, or None.
    """

    command: str
    columns: tuple
    keys: tuple
    shard_size: int
    fault: Callable | None = None

    def shards(self, folder, n_galaxies):
        """Path, first galaxy and end (exclusive) of each shard of an attack on `n_galaxies` galaxies."""
        return [
            (Path(folder) / f"attack-{number:05d}.fits", start, min(start + self.shard_size, n_galaxies))
            for number, start in enumerate(range(0, n_galaxies, self.shard_size))
        ]

    def start(self, folder, settings):
        """Write the settings of a new attack, or check that they equal those of the attack in the folder.

        Parameters
        ----------
        folder : path-like
        settings : dict
            Values that JSON can hold; `galaxies` is a list with one entry per galaxy.

        Raises
        ------
        ValueError
            If the folder holds shards made with other settings.
        """
        path = Path(folder) / "settings.json"
        settings = json.loads(json.dumps(settings))
        if path.exists() and any(Path(folder).glob("attack-*.fits")):
            there = self.settings(folder)
            different = sorted(key for key in settings.keys() | there.keys() if settings.get(key) != there.get(key))
            if different:
                values = f" ({there.get(different[0])})" if different[0] != "galaxies" else ""
                raise ValueError(
                    f"{folder}: holds an attack with other {', '.join(different)}{values}; give another --name, or "
                    "remove the folder"
                )
            return
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(settings, indent=1))

    def settings(self, folder):
        """Read the settings of an attack as a dict."""
        return read_json(Path(folder) / "settings.json", self.keys, "remove the folder and attack again")

    def is_finished(self, path):
        """True if a shard exists and is intact; a truncated one is written again."""
        if not Path(path).exists():
            return False
        try:
            self.read_shard(path)
        except ValueError:
            return False
        return True

    def read_shard(self, path):
        """Read the table and images of one shard.

        Returns
        -------
        table : Table
        images : dict of ndarray
            `original` and `attacked`.

        Raises
        ------
        ValueError
            If the file is damaged or is not a shard of an attack.
        """
        with open_fits(path, "a shard of attacks", "remove it and attack again", with_checksum=True) as hdus:
            table = table_of(hdus["ATTACK"])
            images = {name: np.asarray(hdus[name.upper()].data, np.float32) for name in IMAGES}
            missing = [name for name in self.columns if name not in table.colnames]
            if missing:
                raise ValueError(f"{path}: attacks lack column {', '.join(missing)}; remove it and attack again")
            if self.fault and (fault := self.fault(table)):
                raise ValueError(f"{path}: {fault}; remove it and attack again")
        return table, images

    def find(self, run_dir):
        """Folders of the finished attacks of a run, in the order of their names."""
        folders = [path.parent for path in sorted(Path(run_dir).glob("attacks/*/settings.json"))]
        return [folder for folder in folders if not self.unfinished(folder)]

    def unfinished(self, folder):
        """Paths of the shards of an attack that are not there."""
        paths = [path for path, _, _ in self.shards(folder, len(self.settings(folder)["galaxies"]))]
        return [path for path in paths if not path.exists()]

    def read(self, folder):
        """Read all galaxies of an attack.

        Parameters
        ----------
        folder : path-like
            RUN/attacks/NAME.

        Returns
        -------
        table : Table
            Its meta is that of the first shard.
        images : dict of ndarray, shape (n, rows, columns, n_bands), float32
            `original` and `attacked` [image unit].

        Raises
        ------
        FileNotFoundError
            If the folder holds no attack.
        ValueError
            If the attack is not finished, or a shard is damaged.
        """
        folder = Path(folder)
        if not (folder / "settings.json").exists():
            raise FileNotFoundError(f"{folder}: no attack in this folder; make one with `{self.command}`")
        unfinished = self.unfinished(folder)
        if unfinished:
            raise ValueError(
                f"{unfinished[0]}: missing; run the same `{self.command}` again, it resumes with this shard"
            )
        parts = [self.read_shard(path) for path, _, _ in self.shards(folder, len(self.settings(folder)["galaxies"]))]
        table = vstack([table for table, _ in parts], metadata_conflicts="silent")
        table.meta = dict(parts[0][0].meta)
        return table, {name: np.concatenate([images[name] for _, images in parts]) for name in IMAGES}


def write_shard(path, table, images, unit=None):
    """Write one shard with checksums, to a temporary name that is then renamed.

    Parameters
    ----------
    path : path-like
    table : Table
        Its meta goes into the header.
    images : dict of str to ndarray, shape (n, rows, columns, n_bands)
        `original` and `attacked`.
    unit : str, optional
        Of the images.
    """
    hdus = []
    for name in IMAGES:
        hdus.append(fits.ImageHDU(np.ascontiguousarray(images[name], np.float32), name=name.upper()))
        if unit:
            hdus[-1].header["BUNIT"] = str(unit)
    with write_whole(path) as part:
        write_fits(table, part, "ATTACK", hdus, with_checksum=True)
