"""FITS files: opening, checking and writing; errors of astropy become one line that names the file."""

import warnings
import zlib
from contextlib import contextmanager
from pathlib import Path

from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from photoz_morph.system.columns import require_distinct_names
from photoz_morph.system.provenance import code_version
from photoz_morph.system.sizes import check_fits

UNREADABLE = (
    OSError, EOFError, KeyError, TypeError, IndexError, ValueError, AttributeError, zlib.error, fits.VerifyError,
    AstropyWarning,
)  # fmt: skip


@contextmanager
def open_fits(path, kind, remedy="make it again", with_checksum=False, **options):
    """Open a FITS file in a `with` statement; errors raised inside the block are translated too.

    Parameters
    ----------
    path : path-like
    kind : str
        What the file should be, such as "a shard of stacks".
    remedy : str
        Advice for a file that cannot be read.
    with_checksum : bool
        Whether to compare the whole file with its checksums. A file without them passes.
    **options
        Further arguments of `astropy.io.fits.open`.

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file is truncated, damaged or not FITS (data larger than the file are found out before any are read), or
        the block raises an error whose message does not begin with the name of the file.
    """
    options = {"memmap": True, **options}
    with fits_errors(path, kind, remedy):
        check_fits(path)
        with fits.open(path, checksum=with_checksum, **options) as hdus:
            yield hdus


@contextmanager
def fits_errors(path, kind, remedy="make it again"):
    """Translate the errors of reading a FITS file inside a `with` block, and astropy's warnings, to one line.

    Parameters and errors are those of `open_fits`, which is for a file that one block reads. An iterator that keeps a
    file open must not yield inside either of them: until it goes on, the warnings of its caller would be errors too.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file; give {kind}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyWarning)  # a truncated file is only a warning to astropy
            yield
    except UNREADABLE as error:
        reason = " ".join(str(error).split())
        if reason.startswith(f"{path}: "):  # it is one of ours
            raise
        raise ValueError(f"{path}: cannot be read as {kind} ({reason}); {remedy}") from error


def primary_hdu(cards):
    """Primary HDU without pixels, with (keyword, value, comment) cards in its header, and the version of the code."""
    primary = fits.PrimaryHDU()
    for keyword, value, comment in (*cards, ("CODE", code_version(), "photoz-morph that wrote it")):
        primary.header[keyword] = (value, comment)
    return primary


def require_cards(path, header, keywords, kind, values=None, noun=""):
    """Check that the primary header of a file has some cards.

    Parameters
    ----------
    path : path-like
    header : Header
    keywords : iterable of str
        Cards that must be there.
    kind : str
        What the file should be, such as "a shard of stacks".
    values : dict, optional
        Keyword -> value of the cards that allow only one.
    noun : str
        What the file holds, such as "sdss stacks", for the message about a value.

    Raises
    ------
    ValueError
        If a card is missing or has another value.
    """
    missing = [keyword for keyword in keywords if keyword not in header]
    if missing:
        raise ValueError(f"{path}: no {', '.join(missing)} in the primary header; not {kind}")
    for keyword, value in (values or {}).items():
        if header[keyword] != value:
            raise ValueError(f"{path}: {keyword} is {header[keyword]}, {noun} have {value}; make them again")


def require_columns(path, table, names, remedy="make it again"):
    """Raise a ValueError that names the columns a table lacks, or those whose names differ only in letter case."""
    require_distinct_names(table.colnames, path)
    missing = [name for name in names if name not in table.colnames]
    if missing:
        raise ValueError(f"{path}: table lacks column {', '.join(missing)}; {remedy}")


def read_table(path, hdu, columns, remedy="make it again"):
    """Table of an HDU, text as str, without meta.

    Parameters
    ----------
    path : path-like
        For messages.
    hdu : BinTableHDU
    columns : iterable of str
        Columns that must be there.
    remedy : str
        Advice for a table that lacks one.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If a column is missing, or names of columns differ only in letter case.
    """
    require_distinct_names(hdu.columns.names, path)
    table = Table.read(hdu, mask_invalid=False, unit_parse_strict="silent")
    table.meta.clear()  # cards of this HDU, such as its checksum
    table.convert_bytestring_to_unicode()
    require_columns(path, table, columns, remedy)
    return table
