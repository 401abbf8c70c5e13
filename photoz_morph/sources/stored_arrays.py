"""NumPy arrays on disk, also inside an uncompressed zip archive, of which a few rows are read at a time.

Rows are read from the file, not mapped into memory: the pages of a map would count as memory of the process until the
system takes them back, all 54 GB of them in one pass over the public `sdss.npz`.
"""

import tokenize
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from photoz_morph.system.sizes import check_npz

UNREADABLE = (
    OSError, EOFError, ValueError, KeyError, TypeError, SyntaxError, OverflowError, RuntimeError, NotImplementedError,
    zipfile.BadZipFile, tokenize.TokenError,
)  # fmt: skip
LOCAL_HEADER_BYTES = 30  # of a zip member, before its name and extra field


@dataclass(frozen=True)
class StoredArray:
    """An array in a file.

    Attributes
    ----------
    path : Path
    offset : int
        Byte of its first value in the file.
    dtype : dtype
    shape : tuple of int
    checksum : str
        CRC-32 of the member of an archive; "" for a file of its own.
    """

    path: Path
    offset: int
    dtype: np.dtype
    shape: tuple
    checksum: str = ""

    def rows(self, rows):
        """Rows of those numbers, an array of shape (len(rows), ...); neighbours are read at once.

        Raises
        ------
        ValueError
            If the file has become shorter.
        """
        rows = np.asarray(rows, np.int64)
        row_size = prod(self.shape[1:])
        values = np.empty((len(rows), row_size), self.dtype)
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        with open(self.path, "rb", buffering=0) as file:
            for start, end in zip(starts, [*starts[1:], len(rows)]):
                n_values = (end - start) * row_size
                file.seek(self.offset + int(rows[start]) * row_size * self.dtype.itemsize)
                read = np.fromfile(file, self.dtype, n_values)
                if len(read) < n_values:
                    raise ValueError(f"{self.path}: ends before row {rows[end - 1]}; it is truncated, fetch it again")
                values[start:end] = read.reshape(end - start, row_size)
        return values.reshape(len(rows), *self.shape[1:])


def open_npy(path):
    """Array of a .npy file.

    Raises
    ------
    ValueError
        If it cannot be read as one, or is truncated.
    """
    path = Path(path)
    with _npy_errors(path), open(path, "rb") as file:
        return _array(path, file, path.stat().st_size)


def open_npz(path):
    """Arrays of an uncompressed .npz file, by name.

    Raises
    ------
    ValueError
        If it cannot be read as one, is truncated or compressed, or holds Python objects.
    """
    path = Path(path)
    arrays = {}
    with _npy_errors(path):
        check_npz(path)
        with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
            for member in archive.infolist():
                if not member.filename.endswith(".npy"):
                    continue
                if member.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(
                        f"{path}: {member.filename} is compressed, and cannot be read in parts; run `unzip {path.name} "
                        f"-d {path.stem}` and give that folder"
                    )
                file.seek(member.header_offset)
                header = file.read(LOCAL_HEADER_BYTES)
                # The lengths of the name and of the extra field, which differ from those of the central directory.
                file.seek(sum(int.from_bytes(header[at : at + 2], "little") for at in (26, 28)), 1)
                end = file.tell() + member.file_size
                arrays[member.filename.removesuffix(".npy")] = _array(path, file, end, f"{member.CRC:08x}")
    return arrays


def _array(path, file, end, checksum=""):
    """Array whose header begins at the position of a file and whose values end before `end`."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read(file)
    if min(shape, default=0) < 0:
        raise ValueError(f"{path}: declares the shape {shape}; it is damaged, fetch it again")
    if dtype.hasobject:
        raise ValueError(f"{path}: holds Python objects, which are not read; save arrays of numbers and text")
    if is_fortran and len(shape) > 1:
        raise ValueError(f"{path}: is in Fortran order; save np.ascontiguousarray of it")
    if prod(shape) * dtype.itemsize > end - file.tell():
        raise ValueError(
            f"{path}: {prod(shape) * dtype.itemsize} bytes are declared, {end - file.tell()} are there; it is "
            "truncated, fetch it again"
        )
    return StoredArray(path, file.tell(), dtype, shape, checksum)


@contextmanager
def _npy_errors(path):
    """Errors of reading arrays inside a `with` statement on one line that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: no such file; an .npz file, or cube.npy and labels.npy are needed") from error
    except UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if reason.startswith(f"{path}: "):
            raise
        raise ValueError(f"{path}: cannot be read as NumPy arrays ({reason}); fetch it again") from error
