"""FITS files opened with care: whatever astropy says of a broken one becomes a line that names the file."""

import warnings
from contextlib import contextmanager
from pathlib import Path

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

UNREADABLE = (
    OSError, KeyError, TypeError, IndexError, ValueError, AttributeError, fits.VerifyError, AstropyWarning,
)  # fmt: skip


@contextmanager
def open_fits(path, kind, remedy="make it again", with_checksum=False, **options):
    """The open file, for a `with` statement; errors raised inside it are covered too.

    Parameters
    ----------
    path : path-like
    kind : str
        What the file should be, such as "a shard of stacks".
    remedy : str
        What to do about a file that cannot be read.
    with_checksum : bool
        Whether to compare the whole file with its checksums. A file without them passes.
    **options
        Further arguments of `astropy.io.fits.open`.

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file is truncated, damaged or no FITS, or for any error of the block that does not begin with the name
        of the file, as ours do.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file; give {kind}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyWarning)  # a truncated file is only a warning to astropy
            with fits.open(path, checksum=with_checksum, **{"memmap": True, **options}) as hdus:
                yield hdus
    except UNREADABLE as error:
        reason = " ".join(str(error).split())
        if reason.startswith(f"{path}: "):  # it is one of ours
            raise
        raise ValueError(f"{path}: cannot be read as {kind} ({reason}); {remedy}") from error
