"""Atomic file writing, a check before the work, and one-line messages for errors of the operating system."""

import contextlib
import errno
import tempfile
import uuid
from pathlib import Path

OS_REMEDIES = {  # error number -> remedy
    errno.ENOSPC: "free some space and run the same command again",
    errno.ENOTDIR: "a file is where a folder is needed; give another path",
    errno.EEXIST: "it is in the way; remove it or give another path",
    errno.EISDIR: "a folder is in the way; remove it or give another path",
    errno.EACCES: "give a path that you have permission for",
    errno.EPERM: "give a path that you have permission for",
    errno.EROFS: "give a path on a writable disk",
    errno.ENOENT: "check the path",
}


@contextlib.contextmanager
def write_whole(path, keep_suffix=False, is_shared=False):
    """Yield a temporary path to write to; rename it to `path` on success, remove it on failure.

    Parameters
    ----------
    path : path-like
    keep_suffix : bool
        Whether the temporary name keeps the suffix of `path`, for writers that choose a format by it.
    is_shared : bool
        Whether several processes may write the same file with the same content at once, so that each needs a temporary
        name of its own.

    Raises
    ------
    OSError
        With a message that names `path` and the remedy.
    """
    path = Path(path)
    mark = f"{uuid.uuid4().hex}.part" if is_shared else "part"
    part = path.with_name(f"{path.stem}.{mark}{path.suffix}" if keep_suffix else f"{path.name}.{mark}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise OSError(reason_and_remedy(error, path)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)  # on a full disk it would take the space that the next attempt needs


def check_writable(folder):
    """Check that files can be made in a folder, or that the folder itself can be made, by making one for a moment.

    Parameters
    ----------
    folder : path-like
        Need not exist.

    Raises
    ------
    OSError
        With a message that names `folder` and the remedy.
    """
    there = Path(folder).absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise OSError(reason_and_remedy(error, folder)) from error


def reason_and_remedy(error, path=None):
    """One-line message for an OSError: the file (by default its own `filename`), the reason and the remedy."""
    said = error.strerror or " ".join(str(error).split())
    # astropy turns a full disk into an OSError without a number.
    is_full = any(words in said for words in ("No space left", "Not enough space"))
    where = path or error.filename
    remedy = OS_REMEDIES.get(errno.ENOSPC if is_full else error.errno, "")
    return f"{where}: " * bool(where) + said + f"; {remedy}" * (not said.endswith(remedy))
