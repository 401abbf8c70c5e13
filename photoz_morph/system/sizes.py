"""Sizes that files declare, compared with the bytes they have before anything is read.

A damaged or hostile header can declare more than the file holds: readers would take the memory first and find out
later. What is not compressed must be in the file; what is compressed may be `MOST` times as large. The errors are
`ValueError`s whose message the readers complete with the name of the file.
"""

import bz2
import gzip
import re
import zipfile
from math import prod
from pathlib import Path

import numpy as np

MOST = 1100  # zlib compresses by 1032 at most, RICE by 200
FREE = 2**26  # bytes; so much is never too much
BLOCK = 2880  # bytes of a FITS block, in cards of 80
CHUNK = 2**20
COLUMN_BYTES = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16, "P": 8, "Q": 16}


def check_ratio(declared, stored, what):
    """Raise a ValueError if compressed content declares more bytes than its stored bytes can hold.

    Parameters
    ----------
    declared, stored : int
        Bytes.
    what : str
        Subject of the message, such as "dataset ancil/z_phot".
    """
    if declared > FREE + MOST * stored:
        raise ValueError(
            f"{what} declares {_size(declared)}, more than its {_size(stored)} can hold; it is truncated or damaged"
        )


def check_fits(path):
    """Check that every HDU of a FITS file is in the file, by its headers alone; files of other formats pass.

    Parameters
    ----------
    path : path-like
        Also compressed by gzip or bzip2: then it is decompressed once, without keeping it.

    Raises
    ------
    ValueError
        If the data of an HDU, the columns of a table or the pixels of a compressed image are larger than the file
        allows.
    OSError, EOFError
        If the file cannot be read or decompressed.
    """
    with open(path, "rb") as file:
        start = file.read(3)
        file.seek(0)
        if start == b"SIM":
            end = file.seek(0, 2)
            file.seek(0)
            _check_hdus(file, lambda n_bytes: _skip(file, n_bytes, end))
        elif start[:2] == b"\x1f\x8b" or start == b"BZh":
            with (gzip if start[:2] == b"\x1f\x8b" else bz2).open(file) as stream:
                if stream.read(6) == b"SIMPLE":
                    stream.seek(0)
                    _check_hdus(stream, lambda n_bytes: read_past(stream, n_bytes))


def _skip(file, n_bytes, end):
    """Move past some bytes of a file; the number of them that it has."""
    there = min(n_bytes, end - file.tell())
    file.seek(there, 1)
    return there


def read_past(stream, n_bytes):
    """Read some bytes of a stream without keeping them; the number of them that it has."""
    there = 0
    while there < n_bytes and (chunk := stream.read(min(CHUNK, n_bytes - there))):
        there += len(chunk)
    return there


def _check_hdus(stream, skip):
    """Check all HDUs of a stream, which `skip` moves past some bytes."""
    number = 0
    while cards := _read_cards(stream):
        axes = [_integer(cards, f"NAXIS{axis}") for axis in range(1, _integer(cards, "NAXIS") + 1)]
        if "GROUPS" in cards and axes[:1] == [0]:  # random groups
            axes = axes[1:]
        item = abs(_integer(cards, "BITPIX", 8)) // 8
        n_bytes = item * _integer(cards, "GCOUNT", 1) * (_integer(cards, "PCOUNT") + prod(axes)) if axes else 0
        there = skip(n_bytes)
        if there < n_bytes:
            raise ValueError(
                f"HDU {number} declares {_size(n_bytes)} of data, the file has {_size(there)} of them; it is truncated "
                "or damaged"
            )
        if cards.get("XTENSION", "").strip("' ") == "BINTABLE":
            _check_row(cards, axes, number)
        if cards.get("ZIMAGE") == "T":
            _check_compressed_image(cards, n_bytes, number)
        skip(-n_bytes % BLOCK)
        number += 1


def _check_row(cards, axes, number):
    """Check that the columns of a table fit in its rows."""
    width = 0
    for column in range(1, _integer(cards, "TFIELDS") + 1):
        form = re.match(r"'\s*(\d*)([A-Z])", cards.get(f"TFORM{column}", ""))
        if form:
            repeat = int(form[1] or 1)
            width += -(-repeat // 8) if form[2] == "X" else repeat * COLUMN_BYTES.get(form[2], 0)
    if axes and width > axes[0]:
        raise ValueError(f"HDU {number} declares columns of {_size(width)} in rows of {_size(axes[0])}; it is damaged")


def _check_compressed_image(cards, n_bytes, number):
    """Check the size of a compressed image, and of one of its tiles, against that of its table."""
    n_axes, item = _integer(cards, "ZNAXIS"), abs(_integer(cards, "ZBITPIX", 8)) // 8
    shape = [_integer(cards, f"ZNAXIS{axis}", 1) for axis in range(1, n_axes + 1)]
    tile = [_integer(cards, f"ZTILE{axis}", 1) for axis in range(1, n_axes + 1)]
    for what, axes in (("image", shape), ("tile", tile)):
        check_ratio(item * prod(axes), n_bytes, f"compressed {what} of HDU {number}")


def _read_cards(stream):
    """Keyword -> text of the value of the header at the position of a stream; empty at the end of the file."""
    cards = {}
    while len(block := stream.read(BLOCK)) == BLOCK:
        for start in range(0, BLOCK, 80):
            card = block[start : start + 80]
            keyword = card[:8].rstrip().decode("latin-1")
            if keyword == "END":
                return cards
            if card[8:10] == b"= ":
                cards[keyword] = card[10:].split(b"/")[0].strip().decode("latin-1")
    return {}  # no END: astropy explains that


def _integer(cards, keyword, default=0):
    """Value of a card that is a size, not negative except BITPIX."""
    text = cards.get(keyword, str(default))
    if not re.fullmatch(r"[+-]?\d+", text) or (text.startswith("-") and "BITPIX" not in keyword):
        raise ValueError(f"{keyword} is {text}, no size; it is damaged")
    return int(text)


def check_hdf5(item):
    """Check a dataset of HDF5, or every one of a group, against the bytes that the file stores for it.

    Parameters
    ----------
    item : h5py.Dataset or h5py.Group

    Raises
    ------
    ValueError
        If a dataset declares more than its stored bytes can hold.
    """

    n_bytes = item.file.id.get_filesize()

    def check(name, one):
        if getattr(one, "shape", None) is not None:
            stored = min(one.id.get_storage_size(), n_bytes)
            check_ratio(prod(one.shape) * one.dtype.itemsize, stored, f"dataset {name}")

    if hasattr(item, "visititems"):
        item.visititems(check)
    else:
        check(item.name, item)


def check_zip(archive, path):
    """Check every member of a zip archive against its compressed size and that of the archive.

    Parameters
    ----------
    archive : zipfile.ZipFile
    path : path-like

    Raises
    ------
    ValueError
        If a member declares more than its stored bytes can hold.
    """
    n_bytes = Path(path).stat().st_size
    for member in archive.infolist():
        is_larger = member.compress_type == zipfile.ZIP_STORED and member.file_size > member.compress_size
        if member.compress_size > n_bytes or is_larger:
            raise ValueError(
                f"member {member.filename} declares {_size(max(member.file_size, member.compress_size))}, the archive "
                f"has {_size(n_bytes)}; it is truncated or damaged"
            )
        check_ratio(member.file_size, member.compress_size, f"member {member.filename}")


def check_npz(path):
    """Check the arrays of an .npz file, by their headers, against the sizes of the members that hold them.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    ValueError
        If an array declares more than its member holds.
    OSError, EOFError, zipfile.BadZipFile
        If the file cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        check_zip(archive, path)
        for member in archive.infolist():
            with archive.open(member) as stream:
                _check_array(stream, member.file_size, member.filename)


def _check_array(stream, n_bytes, name):
    """Check the header of one array; objects and other files pass, as NumPy refuses them."""
    if stream.read(6) != np.lib.format.MAGIC_PREFIX:
        return
    stream.seek(0)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    declared = prod(shape) * dtype.itemsize
    if not dtype.hasobject and declared > n_bytes - stream.tell():
        raise ValueError(
            f"array {name} declares {_size(declared)}, its member has {_size(n_bytes)}; it is truncated or damaged"
        )


def check_parquet(metadata, n_bytes):
    """Check the columns of a Parquet file, by its footer, against the file.

    Parameters
    ----------
    metadata : pyarrow.parquet.FileMetaData
    n_bytes : int
        Size of the file.

    Raises
    ------
    ValueError
        If columns declare more than the file can hold.
    """
    widths = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}
    n_declared = 0  # bytes
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for column in map(group.column, range(group.num_columns)):
            if column.total_compressed_size > n_bytes:
                raise ValueError(
                    f"column {column.path_in_schema} declares {_size(column.total_compressed_size)}, the file has "
                    f"{_size(n_bytes)}; it is truncated or damaged"
                )
            n_declared += column.num_values * widths.get(column.physical_type, 1)
            n_declared += max(group.num_rows - column.num_values, 0)
    check_ratio(max(n_declared, metadata.num_rows), n_bytes, "the footer")


def _size(n_bytes):
    """Number of bytes as text."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if n_bytes < 1000 or unit == "TB":
            return f"{n_bytes:.3g} {unit}" if unit != "bytes" else f"{n_bytes} bytes"
        n_bytes /= 1000
