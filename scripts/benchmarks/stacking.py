"""Speed and agreement of the two stacking engines on real frames: every galaxy that is detected there.

    python scripts/benchmarks/stacking.py FRAMES [largest number of galaxies]

FRAMES is a folder of SDSS frames. Galaxies are groups of pixels above the noise in the *r* frames, of r < 19.5 in an
aperture, wider than stars. Both engines stack them in all bands in turns, 20 at a time, from frames in memory, and
the processor time of each, with that of the programs it starts, is added up. Printed are galaxies per second, their
ratio, and quantiles of the differences: of pixels in units of the pixel noise, of fluxes in a circle of 6 arcsec, of
centroids, and of weights. Expect with the 18 frames of SDSS that the tests use a ratio of about 30, 1e-4 of the noise,
1e-5 of the flux, 1e-4 pixel, and 1 % of the weights.
"""

import resource
import sys

import numpy as np
from scipy import ndimage
from tqdm import tqdm

from photoz_morph.stacking.frame_index import index_frames
from photoz_morph.stacking.pixels import FramePixels
from photoz_morph.stacking.stamps import StackSettings, stack_targets
from photoz_morph.stacking.swarp import find_swarp
from photoz_morph.surveys import SDSS

FAINTEST = 19.5  # r magnitude
APERTURE = 15  # pixels, 6 arcsec
BATCH = 20  # galaxies that an engine makes before it is the other's turn
STAR_WIDTH = 1.15  # times the narrowest bright objects are no stars any more


def main(folder, most):
    """Detect, stack by both engines, and print."""
    index = index_frames(folder, SDSS)
    program, version = find_swarp()
    ra, dec, r_mag = detected(index)
    print(f"{len(ra)} galaxies with r < {FAINTEST} in {len(index)} frames of {folder}; SWarp {version}")
    chosen = np.random.default_rng(1).permutation(len(ra))[:most]
    ra, dec = ra[chosen], dec[chosen]
    starts, rows = index.overlaps(ra, dec, SDSS.stamp_size * SDSS.pixel_scale)
    engines = {"lanczos": StackSettings(SDSS), "swarp": StackSettings(SDSS, "swarp", "median", program, version)}
    pixels, quiet = FramePixels(SDSS, 2**40), tqdm(disable=True)  # all frames in memory: reading is not compared
    for row in np.unique(rows):
        pixels(index[row])
    used, stamps = dict.fromkeys(engines, 0.0), {name: [] for name in engines}
    for start in tqdm(range(0, len(ra), BATCH)):
        own = slice(start, start + BATCH)
        own_starts = starts[start : start + BATCH + 1]
        for name, settings in engines.items():
            before = cpu_seconds()
            made = stack_targets(
                index, own_starts - own_starts[0], rows[own_starts[0] : own_starts[-1]], ra[own], dec[own], settings,
                pixels, quiet,
            )  # fmt: skip
            used[name] += cpu_seconds() - before
            stamps[name].append(made)
    n_stamps = len(rows)
    for name, seconds in used.items():
        each = 1000 * seconds / n_stamps
        print(f"{name:8s} {len(ra) / seconds:8.2f} galaxies per CPU second, {each:6.2f} ms a frame and stamp")
    print(f"ratio    {used['swarp'] / used['lanczos']:8.1f}")
    report(*stamps.values())


def detected(index):
    """Positions [deg] and r magnitudes of the galaxies in the r frames."""
    found = []
    for frame in index[index["band"] == "r"]:
        pixels = FramePixels(SDSS, 0)
        image, noise = pixels(frame)
        image = np.nan_to_num(image)
        smooth = ndimage.gaussian_filter(image, 1.5)
        sigma = noise((slice(0, image.shape[0]), slice(0, image.shape[1])))
        labels, number = ndimage.label(smooth > 1.0 * sigma)
        y, x = np.transpose(ndimage.center_of_mass(smooth, labels, np.arange(1, number + 1)))
        flux = ndimage.sum_labels(image, labels, np.arange(1, number + 1))
        peak = ndimage.maximum(smooth, labels, np.arange(1, number + 1))
        bright = flux > 10 ** (0.4 * (22.5 - FAINTEST))
        width = np.sqrt(flux[bright] / peak[bright])
        is_galaxy = width > STAR_WIDTH * np.percentile(width, 5)
        inside = (x > 70) & (y > 70) & (x < image.shape[1] - 70) & (y < image.shape[0] - 70)
        chosen = np.flatnonzero(bright)[is_galaxy & inside[bright]]
        found.append(np.array([*sky_of(frame, x[chosen], y[chosen]), 22.5 - 2.5 * np.log10(flux[chosen])]))
    return np.concatenate(found, axis=1)


def sky_of(frame, x, y):
    """Positions [deg] of pixels, from 0, of a plain TAN frame."""
    from photoz_morph.stacking.astrometry import from_tangent_plane

    offsets = frame["cd"] @ (np.array([x, y]) - (frame["crpix"] - 1)[:, None])
    return from_tangent_plane(*offsets, *frame["crval"])


def report(ours, theirs):
    """Print quantiles of the differences of two lists of stamps."""
    size = SDSS.stamp_size
    offsets = np.arange(size) - (size - 1) / 2
    inside = np.hypot(*np.meshgrid(offsets, offsets)) < APERTURE
    rows = {"pixels, largest [noise]": [], "pixels, rms [noise]": [], "flux": [], "centroid [pixel]": [], "weight": []}
    n_flags = 0
    for one, other in zip(ours, theirs):
        n_flags += sum(reason != expected for reason, expected in zip(one.reasons, other.reasons))
        for i, b in np.ndindex(other.weights.shape):
            if one.reasons[i] or other.reasons[i]:
                continue
            a, c = (stamp.images[i, :, :, b].astype(float) for stamp in (one, other))
            noise = 1 / np.sqrt(other.weights[i, b])
            rows["pixels, largest [noise]"].append(np.abs(a - c).max() / noise)
            rows["pixels, rms [noise]"].append(np.sqrt(np.mean((a - c) ** 2)) / noise)
            rows["weight"].append(abs(one.weights[i, b] / other.weights[i, b] - 1))
            fluxes = [image[inside].sum() for image in (a, c)]
            if fluxes[1] > 20 * noise * np.sqrt(inside.sum()):  # the others have no position to speak of
                rows["flux"].append(abs(fluxes[0] / fluxes[1] - 1))
                places = [[(image * inside).sum(axis=axis) @ offsets / flux for axis in (0, 1)]
                          for image, flux in zip((a, c), fluxes)]  # fmt: skip
                rows["centroid [pixel]"].append(np.hypot(*np.subtract(*places)))
    print(f"flags or reasons that differ: {n_flags}")
    print(f"{'difference':24s} {'median':>9s} {'99 %':>9s} {'largest':>9s} {'stamps':>7s}")
    for name, values in rows.items():
        high = np.percentile(values, 99)
        print(f"{name:24s} {np.median(values):9.1e} {high:9.1e} {max(values):9.1e} {len(values):7d}")


def cpu_seconds():
    """Processor time of this process and the programs it started."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
