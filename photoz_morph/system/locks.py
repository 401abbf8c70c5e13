"""Locks of folders and files that a command fills: one owner at a time, and the second is told who it is.

The lock is one of the operating system, which releases it however the process ends. The file beside it only names the
owner; left behind by a killed process, it locks nothing.
"""

import contextlib
import fcntl
import functools
import inspect
import os
import platform
import sys
from pathlib import Path

from photoz_morph.system.files import reason_and_remedy

ATTEMPTS = 100  # at what another process can undo between two calls; where all fail, it is not another process


@contextlib.contextmanager
def locked(path, remedy="give another folder", is_folder=True):
    """Own a folder, which is made if it is missing, or a file.

    Parameters
    ----------
    path : path-like
    remedy : str
        What a second process can do instead of waiting.
    is_folder : bool
        If True the file `lock` in the folder is used, else `NAME.lock` beside the path; this is for files, and for
        folders that are replaced as a whole.

    Raises
    ------
    ValueError
        If another process owns it; the message names its number, host and command.
    OSError
        With the remedy, if the folder cannot be written to.
    """
    path = Path(path)
    lock = _lock_file(path, is_folder)
    is_new = not lock.parent.exists()
    try:
        file = _acquire(lock, path, remedy)
    except OSError as error:
        raise OSError(reason_and_remedy(error, path)) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink(missing_ok=True)  # while it is held: a later owner would lose its own
            if is_new:
                lock.parent.rmdir()  # nothing was written
        file.close()


def is_locked(path, is_folder=True):
    """True while a process owns a folder or file."""
    try:
        with _lock_file(Path(path), is_folder).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def one_owner(argument, remedy="give another folder", is_folder=True):
    """Decorator of a function that fills the folder or file given as one of its arguments; see `locked`."""

    def decorate(function):
        signature = inspect.signature(function)

        @functools.wraps(function)
        def owned(*args, **kwargs):
            with locked(signature.bind(*args, **kwargs).arguments[argument], remedy, is_folder):
                return function(*args, **kwargs)

        return owned

    return decorate


def _lock_file(path, is_folder):
    return path / "lock" if is_folder else path.with_name(f"{path.name}.lock")


def _acquire(lock, path, remedy):
    """Locked file with the name of this process in it."""
    for attempt in range(ATTEMPTS):
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = lock.open("a+")
        except (FileNotFoundError, FileExistsError):
            if attempt == ATTEMPTS - 1:
                raise
            continue  # an owner who wrote nothing has removed the folder in the midst of these calls
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            owner = file.read().strip()
            file.close()
            owner = owner or "another process"
            raise ValueError(
                f"{path}: {owner} is writing there; wait until it has finished, end it, or {remedy}"
            ) from error
        except OSError:
            pass  # a file system without locks, as Lustre can be: nobody is refused there
        try:
            is_there = os.path.samestat(os.fstat(file.fileno()), lock.stat())
        except FileNotFoundError:
            is_there = False
        if is_there or attempt == ATTEMPTS - 1:
            break
        file.close()  # its owner has removed it between our two calls
    file.truncate(0)
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])
    file.write(f"process {os.getpid()} on {platform.node()} ({command})")
    file.flush()
    return file
