"""Headers of a file of images: plain, compressed as a whole, or in tiles; no pixel is read.

A file is read only as far as the header of its image, which for a compressed file is what takes the time.
"""

import bz2
import gzip
import re
import warnings
import zlib
from pathlib import Path

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from photoz_morph.system.sizes import read_past

# Cards of the binary table that holds an image in compressed tiles; FITS standard 4.0, Sec. 10.1.
TABLE_CARDS = re.compile(
    r"T(FORM|TYPE|UNIT|DIM|NULL|SCAL|ZERO|DISP)\d+|TFIELDS|THEAP|PCOUNT|GCOUNT|Z(NAXIS|TILE|NAME|VAL)\d+"
    r"|Z(IMAGE|CMPTYPE|BITPIX|NAXIS|MASKCMP|QUANTIZ|DITHER0|SIMPLE|EXTEND|BLOCKED|TENSION|PCOUNT|GCOUNT|HECKSUM|DATASUM"
    r"|BLANK)"
)
BLOCK = 2880  # bytes; FITS standard 4.0, Sec. 3.1
MAX_HDUS = 200  # looked through for the image of a file; multi-CCD exposures have 62
DAMAGES = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, zlib.error,
    fits.VerifyError, AstropyWarning,
)  # fmt: skip


def read_headers(path, hdu=None):
    """Headers of a file from the first HDU to the image; no pixel is read.

    Parameters
    ----------
    path : path-like
        Also compressed as a whole (.gz, .bz2) or in tiles.
    hdu : int or str, optional
        Number or EXTNAME of the image; by default the first HDU that holds one.

    Returns
    -------
    list of Header
        That of an image compressed in tiles is the image's own.

    Raises
    ------
    ValueError
        If the file cannot be read so far.
    """
    headers = []
    try:
        with open_stream(path) as stream, warnings.catch_warnings():
            warnings.filterwarnings("error", message="non-ASCII")
            while len(headers) < MAX_HDUS:
                start = stream.read(BLOCK)
                if headers and not start.strip(b"\0 "):
                    break  # the end of the file, or padding behind it
                if not start.startswith(b"XTENSION" if headers else b"SIMPLE"):
                    raise ValueError("it is not FITS" if not headers else "what follows an HDU is none")
                header = fits.Header.fromfile(_Rest(start, stream))
                n_bytes = _data_bytes(header)
                headers.append(_uncompressed(header))
                if is_image(headers, hdu):
                    break
                n_bytes = -(-n_bytes // BLOCK) * BLOCK
                if read_past(stream, n_bytes) < n_bytes:
                    raise EOFError("its pixels are cut short")
    except DAMAGES as error:
        raise damaged(path, error) from error
    return headers


def is_image(headers, hdu):
    """True if the last of some headers is that of the image: number or name `hdu`, or None for the first image."""
    header = headers[-1]
    if hdu is None:
        return _is_image_header(header)
    if isinstance(hdu, int):
        return len(headers) == hdu + 1
    return str(header.get("EXTNAME", "")).strip().upper() == hdu.upper()


def open_stream(path):
    """Uncompressed byte stream of a file."""
    return {".bz2": bz2.open, ".gz": gzip.open}.get(Path(path).suffix, open)(path, "rb")


def damaged(path, error):
    """Error for a file that cannot be read to its end."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ValueError(f"{path}: truncated or damaged frame ({reason}); download it again")


def _is_image_header(header):
    """True if a header is that of an image of two axes or more."""
    return is_image_kind(header) and all(
        isinstance(header.get(keyword), int) and header[keyword] >= least
        for keyword, least in (("NAXIS", 2), ("NAXIS1", 1))
    )


def is_image_kind(header):
    """True if a header is that of a primary HDU or an image extension."""
    return str(header.get("XTENSION", "IMAGE")).strip() == "IMAGE"


def two_axes(header):
    """Header without the cards of further axes, which a celestial WCS has no use for."""
    if header["NAXIS"] == 2:
        return header
    flat = header.copy()
    for keyword in list(flat):
        if re.fullmatch(r"NAXIS3|(CTYPE|CRPIX|CRVAL|CDELT|CUNIT|CROTA|CNAME)3|(CD|PC)(3_\d|\d_3)|P[VS]3_\d+", keyword):
            del flat[keyword]
    flat["NAXIS"] = 2
    if "WCSAXES" in flat:
        flat["WCSAXES"] = 2
    return flat


class _Rest:
    """A stream whose first block was read already, as `Header.fromfile` reads it."""

    def __init__(self, start, stream):
        self._start, self._stream = start, stream

    def read(self, size=-1):
        start, self._start = self._start, b""
        return start or self._stream.read(size)

    def close(self):
        pass


def _data_bytes(header):
    """Bytes of the data behind a header, without padding; FITS standard 4.0, Eq. 2."""
    lengths = [header[f"NAXIS{axis}"] for axis in range(1, header["NAXIS"] + 1)]
    if not lengths:
        return 0
    if "GROUPS" in header and lengths[0] == 0:
        lengths = lengths[1:]
    n_values = 1
    for length in lengths:
        n_values *= length
    n_bytes = abs(header["BITPIX"]) // 8 * header.get("GCOUNT", 1) * (header.get("PCOUNT", 0) + n_values)
    if not isinstance(n_bytes, int) or n_bytes < 0:
        raise ValueError("its header gives no size of the data")
    return n_bytes


def _uncompressed(header):
    """Header of the image that a binary table holds in compressed tiles; any other header as it is."""
    for keyword in ("NAXIS", "BITPIX", "NAXIS1", "NAXIS2", "FILTER", "BUNIT", "CTYPE1", "CTYPE2"):
        header.get(keyword)  # a card that cannot be parsed raises here
    if not header.get("ZIMAGE"):
        return header
    image = header.copy()
    for keyword in ("BITPIX", "NAXIS", *(f"NAXIS{axis + 1}" for axis in range(header["ZNAXIS"]))):
        image[keyword] = header[f"Z{keyword}"]
    for keyword in list(image):
        if TABLE_CARDS.fullmatch(keyword):
            del image[keyword]
    image["XTENSION"] = "IMAGE"
    return image
