"""Files written whole or not at all, and what to say when the system refuses."""

import contextlib
import errno
from pathlib import Path

OS_REMEDIES = {  # error number -> what to do
    errno.ENOSPC: "free some space and run the same command again",
    errno.ENOTDIR: "a file is where a folder is needed; give another place",
    errno.EEXIST: "it is in the way; remove it or give another place",
    errno.EISDIR: "a folder is in the way; remove it or give another place",
    errno.EACCES: "give a place that you may use",
    errno.EPERM: "give a place that you may use",
    errno.EROFS: "give a place that can be written to",
    errno.ENOENT: "check the path",
}


@contextlib.contextmanager
def write_whole(path, keep_suffix=False):
    """Give a temporary name to write to; rename it to `path` once all is written, remove it if that fails.

    Parameters
    ----------
    path : path-like
    keep_suffix : bool
        Whether the temporary name must end as `path` does, for writers that look at it.

    Raises
    ------
    OSError
        With a message that names `path` and the remedy, whatever the writer said.
    """
    path = Path(path)
    part = path.with_name(f"{path.stem}.part{path.suffix}" if keep_suffix else f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise OSError(reason_and_remedy(error, path)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)  # on a full disk it would keep the room that the next try needs


def reason_and_remedy(error, path=None):
    """One line about an OSError: the file (by default the one it names itself), what is wrong and what to do."""
    said = error.strerror or " ".join(str(error).split())
    # astropy turns a full disk into an OSError without a number.
    is_full = any(words in said for words in ("No space left", "Not enough space"))
    where = path or error.filename
    remedy = OS_REMEDIES.get(errno.ENOSPC if is_full else error.errno, "")
    return f"{where}: " * bool(where) + said + f"; {remedy}" * (not said.endswith(remedy))
