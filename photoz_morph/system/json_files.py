"""Small JSON and text files, written atomically and read with checks."""

import json
from pathlib import Path

from photoz_morph.system.files import write_whole


def read_json(path, keys=(), remedy="restore the file, or train another run"):
    """Read a JSON file and check that it has the given keys.

    Parameters
    ----------
    path : path-like
    keys : iterable of str
        Keys that must be there.
    remedy : str
        Advice that ends every message.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not JSON, or a key is missing.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file; {remedy}")
    try:
        content = json.loads(Path(path).read_text())
    except ValueError as error:
        raise ValueError(f"{path}: not JSON, or truncated ({error}); {remedy}") from error
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise ValueError(f"{path}: has no {', '.join(missing)}; {remedy}")
    return content


def write_atomically(path, text):
    """Write a text file to a temporary name, then rename it."""
    with write_whole(path) as part:
        part.write_text(text)
