"""Make tests/data/frames: cut-outs of real SDSS frames around the two galaxies of tests/data/galaxies.csv.

    python scripts/make_test_frames.py FOLDER_WITH_FULL_FRAMES

Needs frames 003918-3-0213 and 004510-4-0030 in ugriz, as frame-BAND-RUN-CAMCOL-FIELD.fits.bz2. Each cut-out keeps
the header with CRPIX shifted, and the start of HDU 1, the calibration vector.
"""

import gzip
import io
import sys
import warnings
from pathlib import Path

from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS, FITSFixedWarning

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"
FIELDS = {1: "003918-3-0213", 2: "004510-4-0030"}  # field of each galaxy, by obj_id
SIDE = 150  # pixels: a 64 pixel stamp at any angle needs 91 of them, the rest lets tests compare wider cuts


def main(folder):
    """Cut all bands of both galaxies."""
    warnings.simplefilter("ignore", FITSFixedWarning)
    (DATA / "frames").mkdir(exist_ok=True)
    for galaxy in Table.read(DATA / "galaxies.csv"):
        for band in "ugriz":
            name = f"frame-{band}-{FIELDS[galaxy['obj_id']]}.fits"
            with fits.open(Path(folder) / f"{name}.bz2") as frame:
                cut = cut_out(frame, galaxy["ra"], galaxy["dec"])
            content = io.BytesIO()
            cut.writeto(content)
            # No time stamp in the gzip header: the same input gives the same bytes.
            (DATA / "frames" / f"{name}.gz").write_bytes(gzip.compress(content.getvalue(), 9, mtime=0))
    print(f"{sum(path.stat().st_size for path in (DATA / 'frames').iterdir()) / 1000:.0f} kB")


def cut_out(frame, ra, dec):
    """HDU 0 around a position, and as much of the vector in HDU 1 as it has columns."""
    header = frame[0].header.copy()
    x, y = WCS(header).all_world2pix(ra, dec, 0)
    left, bottom = round(float(x)) - SIDE // 2, round(float(y)) - SIDE // 2
    header["CRPIX1"] -= left
    header["CRPIX2"] -= bottom
    columns, rows = f"{left}-{left + SIDE - 1}", f"{bottom}-{bottom + SIDE - 1}"
    header.add_history(f"photoz_morph: columns {columns}, rows {rows} of the frame, counted from 0")
    image = frame[0].data[bottom : bottom + SIDE, left : left + SIDE]
    if image.shape != (SIDE, SIDE):
        raise ValueError(
            f"{frame.filename()}: the galaxy at {ra}, {dec} is too near to the edge for {SIDE} pixels"
        )
    calibration = fits.ImageHDU(frame[1].data[left : left + SIDE], frame[1].header)
    return fits.HDUList([fits.PrimaryHDU(image, header), calibration])


if __name__ == "__main__":
    main(sys.argv[1])
