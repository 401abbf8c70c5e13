"""Sky noise, gain, point-spread function and noise correlation of SDSS frames: what the simulation is anchored on.

    python scripts/measure_sdss_frames.py FRAME [FRAME ...]

Prints one line a frame: noise of a background pixel [nanomaggy], sky level [mag / arcsec^2], the noise that the
photons of that sky would have at the survey's gain, FWHM of the stars [arcsec] and the exponent beta of their Moffat
profile with quartiles, number of stars, correlation of the noise of neighbouring pixels in the frame itself.
`photoz_morph/data/DATA_CARD.md` quotes the medians.
"""

import sys

import numpy as np
from astropy.io import fits
from astropy.stats import mad_std, sigma_clipped_stats
from photutils.detection import DAOStarFinder
from photutils.segmentation import detect_sources
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.optimize import least_squares

from photoz_morph.surveys import SDSS

RADIUS = 15  # pixels; the wings of a Moffat profile tell its beta
MIN_SNR, MAX_PEAK_SNR = 60, 3000  # of a star's peak above the noise; brighter ones are near saturation


def main(paths):
    """Measure and print."""
    print("frame                               sigma   sky    photons  FWHM  beta (25-75 %)   stars  corr x, y")
    for path in paths:
        with fits.open(path) as hdus:
            image = hdus[0].data.astype(float)
            band = SDSS.bands.index(hdus[0].header["FILTER"].strip())
            nanomaggy_per_count = hdus[1].data.mean()
            sky = hdus[2].data["ALLSKY"].mean() * nanomaggy_per_count
        sigma, across, along = background(image)
        # Gain in electrons per nanomaggy at the survey's typical column, scaled to the calibration of this frame.
        photons = np.sqrt(sky / SDSS.gain[band])
        sky_magnitude = SDSS.zero_point - 2.5 * np.log10(sky / SDSS.pixel_scale**2)
        stars = np.array(fit_stars(image, sigma)).reshape(-1, 2)
        fwhm = np.median(stars[:, 0]) * SDSS.pixel_scale
        low, middle, high = np.percentile(stars[:, 1], (25, 50, 75))
        name = str(path).split("/")[-1]
        print(
            f"{name:34s} {sigma:7.4f} {sky_magnitude:6.2f} {photons:8.4f} {fwhm:6.2f} "
            f"{middle:5.2f} ({low:.2f}-{high:.2f}) {len(stars):5d}   {across:+.3f} {along:+.3f}"
        )


def background(image):
    """Noise of a background pixel and its correlation with the next pixel along rows and columns."""
    smooth = gaussian_filter(image, 3)
    _, median, spread = sigma_clipped_stats(smooth, sigma=2.5)
    segments = detect_sources(smooth, median + 2 * spread, 9)
    free = ~binary_dilation(segments.data > 0, iterations=12)
    # Differences remove large-scale residuals of the sky: var(a - b) = 2 var (1 - correlation).
    sigma = mad_std((image - smooth)[free]) / np.sqrt(1 - 2 * peak_of_kernel(3) + power_of_kernel(3))
    residual = np.where(free, image - median, 0) / sigma
    residual = np.clip(residual, -4, 4)
    pairs = [(residual[:, 1:] * residual[:, :-1], free[:, 1:] & free[:, :-1])]
    pairs.append((residual[1:] * residual[:-1], free[1:] & free[:-1]))
    across, along = (product[both].mean() for product, both in pairs)
    return sigma, across, along


def peak_of_kernel(width):
    """Central weight of a Gaussian filter."""
    return 1 / (2 * np.pi * width**2)


def power_of_kernel(width):
    """Sum of squared weights of a Gaussian filter."""
    return 1 / (4 * np.pi * width**2)


def fit_stars(image, sigma):
    """(FWHM [pixel], beta) of the Moffat profiles of isolated stars."""
    found = DAOStarFinder(threshold=MIN_SNR / 2 * sigma, fwhm=3.5)(image)
    if found is None:
        return []
    x, y = (np.asarray(found[name]) for name in ("x_centroid", "y_centroid"))
    peak = np.asarray(found["peak"])
    shapes = []
    for i in np.flatnonzero((peak > MIN_SNR * sigma) & (peak < MAX_PEAK_SNR * sigma)):
        column, row = int(round(x[i])), int(round(y[i]))
        inside = RADIUS <= column < image.shape[1] - RADIUS and RADIUS <= row < image.shape[0] - RADIUS
        near = (np.hypot(x - x[i], y - y[i]) < 1.5 * RADIUS).sum() > 1
        if not inside or near:
            continue
        stamp = image[row - RADIUS : row + RADIUS + 1, column - RADIUS : column + RADIUS + 1]
        shape = moffat_fit(stamp, sigma)
        if shape is not None:
            shapes.append(shape)
    if not shapes:
        return []
    shapes = np.array(shapes)
    # Stars are the narrowest; galaxies lie above the locus.
    narrow = np.percentile(shapes[:, 0], 25)
    return shapes[np.abs(shapes[:, 0] / narrow - 1) < 0.12]


def moffat_fit(stamp, sigma):
    """FWHM [pixel] and beta of an elliptical Moffat profile, or None where it fits badly."""
    dy, dx = np.indices(stamp.shape) - RADIUS

    def model(p):
        amplitude, x, y, ln_fwhm, ln_beta, e1, e2, sky = p
        beta, fwhm = np.exp(ln_beta), np.exp(ln_fwhm)
        u, v = dx - x, dy - y
        r2 = ((1 + e1) * u**2 + (1 - e1) * v**2 + 2 * e2 * u * v) * 4 * (2 ** (1 / beta) - 1) / fwhm**2
        return amplitude * (1 + r2) ** -beta + sky

    weight = 1 / np.sqrt(sigma**2 + (0.02 * np.maximum(stamp, 0)) ** 2 + np.maximum(stamp, 0) * sigma**2 / 1.0)
    start = [stamp.max(), 0, 0, np.log(3.5), np.log(3.0), 0, 0, 0]
    fit = least_squares(lambda p: ((model(p) - stamp) * weight).ravel(), start, loss="soft_l1")
    _, x, y, ln_fwhm, ln_beta, e1, e2, _ = fit.x
    if not fit.success or abs(x) > 2 or abs(y) > 2 or np.hypot(e1, e2) > 0.3 or not 1.5 < np.exp(ln_beta) < 15:
        return None
    return np.exp(ln_fwhm), np.exp(ln_beta)


if __name__ == "__main__":
    main(sys.argv[1:])
