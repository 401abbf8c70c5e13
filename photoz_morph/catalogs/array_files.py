"""Columns in files of named arrays: HDF5 of any program, and NumPy's .npz.

`open_arrays` gives the arrays by their names, those of groups too, without reading them; `table_of_arrays` makes a
table of those that have one row per galaxy.
"""

import zipfile
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from astropy.table import Table

from photoz_morph.system.sizes import check_hdf5, check_npz

ARRAY_SUFFIXES = (".hdf5", ".h5", ".hdf", ".npz")
UNREADABLE = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, RuntimeError, AttributeError, NotImplementedError,
    OverflowError, SyntaxError, zipfile.BadZipFile,
)  # fmt: skip


@contextmanager
def open_arrays(path, kind="arrays"):
    """Arrays of an HDF5 or .npz file, open inside a `with` statement.

    Parameters
    ----------
    path : path-like
        The suffix decides the format.
    kind : str
        What the file should be, for messages.

    Yields
    ------
    dict of str to h5py.Dataset or ndarray
        By name; those of a group without its name if that is the only one. Fields of a structured array are arrays.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read, also where that shows while an array is read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give {kind} ({', '.join(ARRAY_SUFFIXES)})")
    try:
        if path.suffix.lower() == ".npz":
            check_npz(path)
            with np.load(path, allow_pickle=False) as archive:
                yield _by_leaf({name: archive[name] for name in archive.files})
        else:
            with h5py.File(path) as file:
                check_hdf5(file)
                yield _by_leaf(_datasets(file))
    except UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if reason.startswith(f"{path}: "):
            raise
        raise ValueError(f"{path}: cannot be read as {kind}: {reason}") from error


def table_of_arrays(arrays, path, n_rows=None):
    """Table of the arrays that have one row per galaxy, with one number or text, or a vector of numbers, in each.

    Parameters
    ----------
    arrays : dict of str to array
        From `open_arrays`.
    path : path-like
        Named in messages.
    n_rows : int, optional
        By default the number of rows that most arrays have.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If there are none.
    """
    usable = {name: array for name, array in arrays.items() if array.ndim in (1, 2) and array.dtype.kind in "biufSUO"}
    if n_rows is None:
        lengths = [len(array) for array in usable.values() if array.ndim == 1]
        if not lengths:
            raise ValueError(f"{path}: holds no arrays with one value per galaxy")
        values, counts = np.unique(lengths, return_counts=True)
        n_rows = int(values[np.argmax(counts)])
    table = Table()
    for name, array in usable.items():
        if len(array) == n_rows:
            values = array[:]
            table[name] = _as_text(values) if values.dtype.kind in "SO" else values
    return table


def _as_text(values):
    """Array of text from bytes or objects, empty where there is none."""
    decoded = [value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value or "")
               for value in np.ravel(values)]  # fmt: skip
    return np.array(decoded, str).reshape(np.shape(values))


def _datasets(group, path="", depth=3):
    """Datasets of an HDF5 file by their paths, some groups deep; links to one dataset are several."""
    found = {}
    for name, item in group.items():
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            found[f"{path}{name}"] = item
        elif isinstance(item, h5py.Group) and depth:
            found |= _datasets(item, f"{path}{name}/", depth - 1)
    return found


def _by_leaf(arrays):
    """Arrays by the last part of their path, where no two share it, with structured arrays taken apart."""
    whole = {}
    for name, array in arrays.items():
        if array.dtype.names:
            values = array[()]
            whole |= {f"{name}/{field}": values[field] for field in array.dtype.names}
        else:
            whole[name] = array
    leaves = [name.rpartition("/")[2] for name in whole]
    return {leaf if leaves.count(leaf) == 1 else name: whole[name] for leaf, name in zip(leaves, whole)}
