"""Simulated SDSS stamps beside real ones from frames, shown with the same stretch.

    python scripts/contact_sheet.py FRAMES SHEET.png

FRAMES is a folder of SDSS frames, `frame-BAND-RUN-CAMCOL-FIELD.fits` or `.fits.bz2`, some fields with all of *ugriz*.
Real galaxies are extended sources with 63 to 2,000 nanomaggies in r (about r = 18 to 14.2); below each stands the
simulated galaxy whose r flux and axis ratio are nearest. Look for what gives the simulated one away. Frames are not
turned north up for this, and bands are put on each other by cubic interpolation.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from astropy.stats import mad_std
from astropy.wcs import WCS
from photutils.segmentation import SourceCatalog, detect_sources
from scipy.ndimage import gaussian_filter, shift

from photoz_morph.report.images import rgb
from photoz_morph.simulation.sdss.sample import simulate_galaxy
from photoz_morph.surveys import SDSS

SEED, N_SIMULATED = 1, 600
FAINTEST, BRIGHTEST = 63.0, 2000.0  # r [nanomaggy]
LEAST_SIZE = 2.6  # pixels of the minor axis (standard deviation) after smoothing by 1.5: stars have 1.9 to 2.2
SATURATED = 15.0  # r [nanomaggy per pixel]; only stars come near
EDGE, COLUMNS = 60, 6  # [pixel] galaxies nearer to the edge of a frame are left out; stamps in a row


def main(folder, path):
    """Find, cut out, match and draw."""
    real = [galaxy for frame in sorted(Path(folder).glob("frame-r-*")) for galaxy in galaxies_of_field(frame)]
    rows = [simulate_galaxy(SEED, i) for i in range(N_SIMULATED)]
    flux = np.array([image[..., SDSS.bands.index("r")].sum() for image, _ in rows])
    axis_ratio = np.array([row["axis_ratio"] for _, row in rows])
    n_rows = -(-len(real) // COLUMNS)
    figure, axes = plt.subplots(2 * n_rows, COLUMNS, figsize=(2 * COLUMNS, 4.4 * n_rows), squeeze=False)
    used = []
    for k, (image, r_flux, q) in enumerate(real):
        distance = np.hypot(np.log(np.maximum(flux, 1) / r_flux) / 0.2, (axis_ratio - q) / 0.1)
        distance[used] = np.inf
        used.append(int(np.argmin(distance)))
        matched, row = rows[used[-1]]
        magnitude = SDSS.zero_point - 2.5 * np.log10(r_flux)
        show(axes[2 * (k // COLUMNS), k % COLUMNS], image, f"real, r {magnitude:.1f}")
        show(axes[2 * (k // COLUMNS) + 1, k % COLUMNS], matched, f"simulated, z {row['z_spec']:.2f}")
    for axis in axes.flat:
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=60)
    print(f"{path}: {len(real)} real galaxies")


def galaxies_of_field(path):
    """(stamp, r flux, axis ratio) of the extended sources of a field, if it has all bands."""
    frames = [path.with_name(path.name.replace("-r-", f"-{band}-", 1)) for band in SDSS.bands]
    if not all(frame.is_file() for frame in frames):
        return
    images, systems = [], []
    for frame in frames:
        with fits.open(frame) as hdus:
            images.append(hdus[0].data.astype(np.float32))
            systems.append(WCS(hdus[0].header))
    r = SDSS.bands.index("r")
    smooth = gaussian_filter(images[r], 1.5)
    found = SourceCatalog(images[r], detect_sources(smooth, 6 * mad_std(smooth), n_pixels=20), convolved_data=smooth)
    x, y, flux = found.x_centroid, found.y_centroid, found.segment_flux
    major, minor = found.semimajor_axis.value, found.semiminor_axis.value
    inside = (np.minimum(x, y) > EDGE) & (x < images[r].shape[1] - EDGE) & (y < images[r].shape[0] - EDGE)
    extended = (minor > LEAST_SIZE) & (found.max_value < SATURATED)
    for i in np.flatnonzero(inside & (flux > FAINTEST) & (flux < BRIGHTEST) & extended):
        sky = systems[r].pixel_to_world_values(x[i], y[i])
        bands = [cut_out(image, *system.world_to_pixel_values(*sky)) for image, system in zip(images, systems)]
        yield np.stack(bands, axis=-1), flux[i], minor[i] / major[i]


def cut_out(image, x, y):
    """Stamp about a position [pixel from 0], which comes to lie between the middle pixels."""
    half, margin = SDSS.stamp_size // 2, 8
    column, row = int(np.floor(x)), int(np.floor(y))
    rows, columns = (slice(at + 1 - half - margin, at + 1 + half + margin) for at in (row, column))
    moved = shift(image[rows, columns], (row + 0.5 - float(y), column + 0.5 - float(x)))
    return moved[margin:-margin, margin:-margin]


def show(axis, image, title):
    """One stamp in colour."""
    axis.imshow(rgb(image[None], SDSS)[0], origin="lower")
    axis.set_title(title, fontsize=9)


if __name__ == "__main__":
    main(*sys.argv[1:])
