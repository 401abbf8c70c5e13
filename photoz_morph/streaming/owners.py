"""Who computes an output: one process the whole of it, or several a share of its parts each.

The parts are kept in the working folder `OUT.parts/` (see `streaming.working_folder`). A process owns `OUT`, or share I
of N, by a lock of the operating system, also across machines that share the disk.
"""

import contextlib
import re
from pathlib import Path

from photoz_morph.system.locks import is_locked, locked

SETTINGS = "settings.json"


def working_folder(out):
    """Working folder of an output."""
    out = Path(out)
    return out.with_name(f"{out.name}.parts")


def is_begun(out):
    """True if the working folder of an output is there, with its settings: all checks before the work were passed."""
    return (working_folder(out) / SETTINGS).is_file()


@contextlib.contextmanager
def owned(out, share=None, remedy="give another --out"):
    """Own an output, or a share of its parts, inside a `with` statement.

    Parameters
    ----------
    out : path-like
    share : (int, int), optional
        Number of the share, from 1, and number of shares; by default the output as a whole.
    remedy : str
        As in `system.locks.locked`.

    Raises
    ------
    ValueError
        If another process owns the output, this share, or one of another number of shares.
    OSError
        If the folder cannot be written to.
    """
    out, folder = Path(out), working_folder(out)
    if share is None:
        with locked(out, remedy, is_folder=False):
            _refuse_beside(_shares(folder), out, remedy)
            yield
        return
    if out.exists() and not is_begun(out):
        raise ValueError(f"{out}: exists, and all its parts were joined; remove it to compute it again")
    number, count = share
    with locked(folder / f"share-{number}-of-{count}", "give another --part", is_folder=False):
        # In this order, and the other way round above: of two that begin at once, at least one sees the other.
        if is_locked(out, is_folder=False):
            raise ValueError(f"{out}: another process is computing or joining it as a whole; wait until it has "
                             f"finished, end it, or {remedy}")  # fmt: skip
        _refuse_beside([path for path in _shares(folder) if not path.name.endswith(f"-of-{count}")], out, remedy)
        yield


def _shares(folder):
    """Paths of the locked shares, without .lock."""
    return [path.with_suffix("") for path in sorted(folder.glob("share-*.lock"))]


def _refuse_beside(shares, out, remedy):
    """Raise a ValueError if a process owns one of the shares."""
    for path in shares:
        if is_locked(path, is_folder=False):
            number, count = re.findall(r"\d+", path.name)
            raise ValueError(f"{out}: another process is computing --part {number}/{count} of it; wait until it has "
                             f"finished, end it, or {remedy}")  # fmt: skip
