"""A user's folder in which things are broken, the damage that can be done, and the one check that every case passes."""

import shutil
import subprocess
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.shards.stacks import read_shard, shard_path, write_shard
from photoz_morph.surveys import SDSS
from tests.support.paths import DATA
from tests.support.samples import TINY, colour_stacks

SETTINGS = [word for setting in TINY for word in ("--set", setting)]
HIDDEN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)  # Python shows none of these


class Workplace:
    """A user's folder: what each case breaks is a copy."""

    def __init__(self, folder, data, stacks, run=None):
        self.folder, self.run, self.data, self.stacks = folder, run, data, stacks
        self.model = run and run / "export"

    def frames(self):
        """Copy of the real frames; returns the folder."""
        return shutil.copytree(DATA / "frames", self.folder / "frames")

    def catalog(self, suffix=".csv", **columns):
        """Catalogue of the two real galaxies, with columns replaced, or left out if None."""
        table = Table.read(DATA / "galaxies.csv")
        for name, values in columns.items():
            if values is None:
                table.remove_column(name)
            else:
                table[name] = values
        path = self.folder / f"galaxies{suffix}"
        table.write(path)
        return path

    def shard(self, n_galaxies=40, damage=None):
        """One shard of a few galaxies, damaged; returns its path, in a folder of its own."""
        path = shard_path(self.folder / "shards", 0)
        path.parent.mkdir()
        images, table = colour_stacks(n_galaxies)
        write_shard(path, images, table, SDSS, "simulated")
        if damage:
            damage(path)
        return path

    def copy_of_run(self):
        """Copy of the finished run that may be broken."""
        return shutil.copytree(self.run, self.folder / "run")

    def predictions(self):
        """Copy of its predictions."""
        return Path(shutil.copy(self.run / "predictions.fits", self.folder / "predictions.fits"))

    def train(self, *arguments):
        """The command that trained the run, with more arguments."""
        where = ("--run-dir", self.run, "--data-dir", self.data)
        return ("train", *where, "--ensemble", 2, "--cv", 2, *SETTINGS, *arguments)

    def in_the_way(self):
        """A path that no one can write to, not even root: its parent is a file."""
        path = self.folder / "file"
        path.write_text("in the way")
        return path / "out"

    def contents(self):
        """Every file that could be harmed, with what changes when it is written to."""
        folders = (folder for folder in (self.folder, self.run, self.data, self.stacks) if folder)
        files = (path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != "lock")
        return {path: (path.stat().st_size, path.stat().st_mtime_ns, path.stat().st_ino) for path in files}


class Cases:
    """The table of a test file: functions that break something and return the command, and parts of its error."""

    def __init__(self):
        self.rows = []

    def __call__(self, *expected):
        """Decorator of such a function."""

        def register(function):
            self.add(function.__name__, function, *expected)
            return function

        return register

    def add(self, name, function, *expected):
        self.rows.append(pytest.param(function, expected, id=name))

    def command(self, name, words, *expected):
        """A command that is wrong in itself; {run}, {data}, {stacks}, {model} and {folder} are those of the place."""
        self.add(name, lambda place: words.format(**vars(place)).split(), *expected)

    def train(self, name, more, *expected):
        """The command that trained the run, with other options."""
        self.add(name, lambda place: place.train(*more.format(**vars(place)).split()), *expected)

    def config(self, name, text, *expected, command="train"):
        """A config file with some content."""

        def make(place):
            (place.folder / "mine.yaml").write_bytes(text)
            return (command, "mine.yaml") + ("--data-dir", place.data) * (command == "train")

        self.add(name, make, *expected)

    def run(self, name, command, file, damage, *expected):
        """A command on a copy of the finished run in which `damage` was done to one file."""

        def make(place):
            damage(place.copy_of_run() / file)
            words = command.split()
            return place.train("--run-dir", "run") if words == ["train"] else (words[0], "run", *words[1:])

        self.add(name, make, *expected)

    def dataset(self, name, command, pattern, damage, *expected):
        """`predict` or `train` with a copy of the dataset in which `damage` was done to one file."""

        def make(place):
            data = Path(shutil.copytree(place.data, place.folder / "data"))
            damage(next(data.glob(f"sdss_ugriz/*/{pattern}")))
            if command == "train":
                return place.train("--run-dir", "new", "--data-dir", data, "--strategy", "mirrored")
            return command, place.run, "--data-dir", data, "--out", "predictions.fits"

        self.add(name, make, *expected)

    def predictions(self, name, damage, *expected):
        """`evaluate` of a damaged file of predictions."""

        def make(place):
            path = place.predictions()
            damage(path)
            return "evaluate", path

        self.add(name, make, *expected)

    def model(self, name, file, damage, *expected):
        """`infer` with a copy of the exported model in which `damage` was done to one file."""

        def make(place):
            model = Path(shutil.copytree(place.model, place.folder / "model"))
            damage(next(model.glob(file)))
            return "infer", model, "--stacks", place.stacks

        self.add(name, make, "model", "export the model again", *expected)


def run_command(arguments, quiet=True):
    """Result of a command, and the warnings that Python would have printed beside its output."""
    words = [str(word) for word in arguments] + ["--quiet"] * (quiet and arguments[0] != "summary")
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        for category in HIDDEN:
            warnings.simplefilter("ignore", category)
        result = CliRunner().invoke(main, words)
    return result, [str(warning.message) for warning in shown]


def check_error(place, arguments, expected):
    """Run a command that must fail with one line that has all expected parts, and leave every file as it was."""
    before = place.contents()
    result, shown = run_command(arguments)
    assert result.exit_code != 0, "there was no error"
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    lines = result.stderr.splitlines() + shown
    assert len(lines) == 1 and lines[0].startswith("Error: "), lines
    missing = [part for part in expected if part not in lines[0]]
    assert not missing, f"{missing} not in {lines[0]}"
    after = place.contents()
    assert not [path for path in before if after.get(path) != before[path]], "changed or lost"
    assert not [path for path in set(after) - set(before) if ".part" in str(path)], "left behind"


def check_success(arguments):
    """Run a command that must succeed, without a warning; returns its result."""
    result, shown = run_command(arguments, quiet=False)
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    assert not shown
    return result


@contextmanager
def small_disk(folder, free_kib):
    """A file system with little space, mounted on a folder; yields a function that gives it room."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={free_kib + 4}k", "tmpfs", folder]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    (folder / "ballast").write_bytes(bytes(4096))  # the smallest such file system has 4 KiB
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=200m", folder], check=True)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def check_full_disk(place, free_kib, arguments, expected):
    """A command that fills the disk says so; with room the same command resumes."""
    with small_disk(place.folder / "disk", free_kib) as give_room:
        check_error(place, arguments, [*expected, "free some space and run the same command again"])
        give_room()
        check_success(arguments)


def cut_short(path, keep=0.5):
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])


def replace_text(old, new):
    """Damage that replaces a text in a file."""

    def damage(path):
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return damage


def flipped(after=b"", offset=0, bit=0):
    """Damage that flips one bit of the byte `offset` bytes from the start of a text in the file, or of the file."""

    def damage(path):
        content = bytearray(path.read_bytes())
        content[content.index(after) + offset] ^= 1 << bit
        path.write_bytes(content)

    return damage


def emptied(path):
    path.write_bytes(b"")


def untouched(path):
    pass


# Damage to a shard, for the commands that read shards: what is done to the file, and parts of the error


def _with_pixels(value):
    def damage(path):
        with fits.open(path, mode="update") as hdus:
            hdus["IMAGE"].data[2, 30, 30:33, 3] = value

    return damage


def _rewritten(change):
    """Damage that writes the HDUs again as `change` gives them."""

    def damage(path):
        with fits.open(path) as hdus:
            fits.HDUList(change(hdus)).writeto(path.with_name("new"))
        path.with_name("new").replace(path)

    return damage


def _with_card(keyword, value):
    return lambda path: fits.setval(path, keyword, value=value)


def _second_shard(origin, first_id):
    """Another shard beside the first; its galaxies have the ids from `first_id` on."""

    def damage(path):
        images, table = colour_stacks(read_shard(path)[1]["obj_id"].size, first_id=first_id)
        write_shard(shard_path(path.parent, 1), images, table, SDSS, origin)

    return damage


def _image(hdus, rows=slice(None), side=slice(None)):
    return fits.ImageHDU(np.ascontiguousarray(hdus["IMAGE"].data[rows, side, side]), name="IMAGE")


def _without_column(hdus, name):
    table = Table.read(hdus["CATALOG"])
    table.remove_column(name)
    return fits.BinTableHDU(table, name="CATALOG")


UNREADABLE = ("stacks-00000.fits: cannot be read as a shard of stacks", "make it again")
NOT_FINITE = ("stacks-00000.fits: galaxy 2 has 3 pixels in band i that are not finite", "make its stack again or set")
SHARD_DAMAGE = {
    "nan_stack": (_with_pixels(np.nan), *NOT_FINITE),
    "infinite_stack": (_with_pixels(np.inf), *NOT_FINITE),
    "truncated_shard": (cut_short, *UNREADABLE),
    "shard_of_zero_size": (emptied, *UNREADABLE),
    "bit_flipped_in_the_end_of_a_header": (flipped(b"END  ", 1), *UNREADABLE),
    "bit_flipped_in_the_kind_of_a_header": (flipped(b"'IMAGE   '", 5), *UNREADABLE),
    "bit_flipped_in_a_keyword": (flipped(b"BUNIT", 4), "no BUNIT in the primary header"),
    "bit_flipped_in_a_pixel": (flipped(b"XTENSION", 2880 + 100_003), *UNREADABLE, "hecksum"),
    "bit_flipped_in_the_table": (flipped(offset=-3000), *UNREADABLE, "hecksum"),
    "wrong_size_stack": (
        _rewritten(lambda hdus: [hdus[0].copy(), _image(hdus, side=slice(16, 48)), hdus["CATALOG"].copy()]),
        "stacks-00000.fits: image cube has shape (40, 32, 32, 5)", "need (40, 64, 64, 5)", "make them again",
    ),
    "fewer_stacks_than_rows": (
        _rewritten(lambda hdus: [hdus[0].copy(), _image(hdus, rows=slice(39)), hdus["CATALOG"].copy()]),
        "image cube has shape (39, 64, 64, 5)", "its 40 galaxies", "make them again",
    ),
    "no_catalogue_in_the_shard": (_rewritten(lambda hdus: [hdus[0].copy(), _image(hdus)]), *UNREADABLE, "CATALOG"),
    "no_z_spec_column": (
        _rewritten(lambda hdus: [hdus[0].copy(), _image(hdus), _without_column(hdus, "z_spec")]),
        "stacks-00000.fits: table lacks column z_spec", "make the stacks again",
    ),
    "wrong_band_order": (
        _with_card("BANDS", "g,u,r,i,z"), "stacks-00000.fits: bands are g,u,r,i,z, sdss needs u,g,r,i,z in order"
    ),
    "unknown_survey_of_a_shard": (_with_card("SURVEY", "des"), "stacks-00000.fits: unknown survey 'des'", "sdss"),
    "wrong_pixel_scale": (_with_card("PIXSCALE", 0.2), "PIXSCALE is 0.2, sdss stacks have 0.396; make them again"),
    "wrong_unit": (_with_card("BUNIT", "count"), "BUNIT is count, sdss stacks have nanomaggy; make them again"),
    "unknown_origin": (_with_card("ORIGIN", "dreamed"), "ORIGIN is dreamed, not simulated or stacked; make the"),
    "simulated_and_real_stacks_in_one_folder": (
        _second_shard("stacked", 500), "simulated and stacked", "keep"
    ),
}  # fmt: skip
