"""Working folder of a computation in parts: `OUT.parts/` beside its output `OUT`.

Each part is a Parquet file, complete as soon as it has its name. `settings.json` says what the parts were computed
from, and a run with other settings is refused. The run that finds all parts there joins them and removes the folder.
Several processes, also on several machines that share the disk, each compute a share of the parts, I of N.
"""

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from photoz_morph.streaming.owners import SETTINGS, is_begun, working_folder
from photoz_morph.streaming.parts import Parts
from photoz_morph.streaming.prefetch import prefetched
from photoz_morph.system.files import reason_and_remedy, write_whole
from photoz_morph.system.locks import locked
from photoz_morph.system.tables import write_parquet


@dataclass(frozen=True)
class WorkingFolder:
    """The parts of an output.

    Attributes
    ----------
    out : Path
        Output file.
    names : tuple of str
        Of the parts, in the order of the rows.
    sizes : tuple of int
        Rows of each part.
    """

    out: Path
    names: tuple
    sizes: tuple

    @property
    def folder(self):
        """Path of the folder."""
        return working_folder(self.out)

    def path(self, name):
        """Path of a part."""
        return self.folder / f"{name}.parquet"

    def of_share(self, share=None):
        """Numbers, from 0, of the parts of a share (I, N), or of all."""
        number, count = share or (1, 1)
        return range(number - 1, len(self.names), count)

    def missing(self, share=None):
        """Numbers of the parts of a share that are not there, or not whole."""
        mine = self.of_share(share)
        return [i for i in mine if not self._is_whole(self.path(self.names[i]), self.sizes[i])]

    @staticmethod
    def _is_whole(path, n_rows):
        try:
            return pq.read_metadata(path).num_rows == n_rows
        except (OSError, pa.ArrowException):
            return False

    def write(self, name, table, is_shared=False):
        """Write a part, whole or not at all; `is_shared` as of `system.files.write_whole`."""
        with write_whole(self.path(name), is_shared=is_shared) as part:
            write_parquet(table, part)

    def check(self, number, table):
        """Raise a ValueError if the table of a part has another number of rows than its source said."""
        name, size = self.names[number], self.sizes[number]
        if len(table) != size:
            raise ValueError(f"{name}: has {len(table)} rows, {size} were announced; was it changed just now?")

    def parts(self):
        """All parts, as one table; see `streaming.parts`."""
        return Parts([self.path(name) for name in self.names])

    @contextlib.contextmanager
    def kept_if_begun(self):
        """Remove the folder when what is done inside a `with` statement fails before the first part is finished."""
        try:
            yield
        except BaseException:
            if not any(self.folder.glob("*.parquet")) and not any(self.folder.glob("share-*.lock")):
                self.remove()
            raise

    def remove(self):
        """Remove the folder, when the output is on the disk; from the first moment on it does not count as one."""
        for path in [self.out] if self.out.is_file() else self.out.rglob("*"):
            if path.is_file():
                with open(path, "rb") as file:
                    os.fsync(file.fileno())  # or a power failure could take the output after its parts
        old = self.folder.with_name(f"{self.folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        try:
            self.folder.replace(old)
        except OSError as error:
            raise OSError(reason_and_remedy(error, self.folder)) from error
        shutil.rmtree(old, ignore_errors=True)


def open_working_folder(out, partitions, settings):
    """Make the working folder of an output, or find out that the one that is there has the same settings.

    Parameters
    ----------
    out : path-like
    partitions : sequence
        With `name` and `n_rows`, in order.
    settings : dict
        What the parts depend on: values of JSON.

    Returns
    -------
    WorkingFolder

    Raises
    ------
    ValueError
        If the folder has other settings, with what differs, or is damaged.
    OSError
        With a message that names the folder and the remedy.
    """
    names, sizes = tuple(one.name for one in partitions), tuple(one.n_rows for one in partitions)
    work = WorkingFolder(Path(out), names, sizes)
    if len(set(names)) < len(names):
        raise ValueError(f"{out}: two partitions of the input have the same name; give them different ones")
    listed = hashlib.sha256("\n".join(f"{name} {size}" for name, size in zip(names, sizes)).encode()).hexdigest()[:16]
    wanted = json.loads(json.dumps({**settings, "partitions": f"{len(names)}, {listed}"}))
    path = work.folder / SETTINGS
    try:
        work.folder.mkdir(exist_ok=True)
        if not path.exists():
            _write_new(path, json.dumps(wanted, indent=1))
        there = json.loads(path.read_text())
    except OSError as error:
        raise OSError(reason_and_remedy(error, work.folder)) from error
    except ValueError as error:
        raise ValueError(f"{path}: damaged ({error}); remove the folder to begin anew") from error
    if there != wanted:
        raise ValueError(f"{work.folder}: {_differences(there, wanted)}; remove the folder to begin anew, or give "
                         "another --out")  # fmt: skip
    return work


def _write_new(path, text):
    """Write a file whole; one that another share, which began at the same moment, has written stays."""
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        part.write_text(text)
        os.link(part, path)  # unlike a rename it replaces nothing
    except FileExistsError:
        pass
    except OSError:
        part.replace(path)  # of a file system without links
    finally:
        part.unlink(missing_ok=True)


def _differences(there, wanted):
    """What differs between the settings of the parts and those of this run."""
    if not isinstance(there, dict):
        return "its settings are damaged"
    keys = [key for key in {**there, **wanted} if there.get(key) != wanted.get(key)]
    return "its parts were computed with " + ", ".join(
        f"{key} {there.get(key, 'unknown')} (this run has {wanted.get(key, 'none')})" for key in keys
    )


def fill(work, read, compute, share=None, unit=" galaxies", progress=True):
    """Compute the missing parts of an output; the next is read while one is computed.

    Parameters
    ----------
    work : WorkingFolder
    read : callable
        Numbers of parts, in order, to an iterator over what each is computed from; only a thread of its own uses it.
    compute : callable
        Name of a part and an item of `read` to the table of the part.
    share : (int, int), optional
        Number of a share of the parts, from 1, and number of shares; by default all.
    unit : str
        What a row is, for the progress bar.
    progress : bool

    Raises
    ------
    ValueError
        If a part has another number of rows than its source said.
    """
    left = work.missing(share)
    mine = sum(work.sizes[number] for number in work.of_share(share))
    done = mine - sum(work.sizes[number] for number in left)
    items = prefetched(read(left))
    with tqdm(total=mine, initial=done, desc="infer", unit=unit, disable=not progress) as bar:
        with contextlib.closing(items), work.kept_if_begun():
            for number in left:
                name, size = work.names[number], work.sizes[number]
                table = compute(name, next(items))
                work.check(number, table)
                work.write(name, table)
                bar.update(size)


@contextlib.contextmanager
def joining(work, share=None):
    """Whether the calling process joins the parts, inside a `with` statement.

    Parameters
    ----------
    work : WorkingFolder
    share : (int, int), optional
        The share that this process owns; one that owns the output as a whole has none.

    Yields
    ------
    bool
        True if all parts are there and no other process joins them.

    Raises
    ------
    RuntimeError
        If this process owns the output as a whole, and a part is missing.
    """
    if work.missing():
        if share is None:
            raise RuntimeError(
                f"{work.folder}: parts were removed while others were computed; run the same command again"
            )
        yield False
        return
    with contextlib.ExitStack() as stack:
        if share is not None:
            try:
                stack.enter_context(locked(work.out, is_folder=False))
            except ValueError:  # another share, which finished at the same time, joins
                yield False
                return
        yield is_begun(work.out) and not work.missing()  # it may have joined them in the meantime
