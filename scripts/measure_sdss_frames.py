"""Noise, background and point-spread function of SDSS frames: what the simulation is anchored on.

    python scripts/measure_sdss_frames.py FRAME [FRAME ...]

Prints a line per frame: noise of a background pixel [nanomaggy]; sky [mag / arcsec^2]; the noise of the photons of that
sky at the gain of the survey; correlation of the noise with the next pixel along rows and columns; scatter of the
background between empty patches of 64 x 64 pixels beyond their noise, in units of the noise of a pixel; and of the
stars the median FWHM [arcsec], beta and ellipticity of Moffat profiles integrated over pixels, and their number.
`photoz_morph/data/DATA_CARD.md` quotes the result for 18 frames.
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

SMOOTHING = 3.0  # pixels, of the images in which sources are found
RADIUS = 12  # pixels of a star on each side of its centre: the wings tell its beta
PEAK_SNR = 60, 1500  # of the peak of a star; brighter ones are near saturation
N_STARS = 80
PATCH, LEAST_EMPTY = 64, 2500  # pixels along a side, and free of sources among them
STAR_WIDTH = 0.12  # stars have the FWHM of the narrowest sources within so much
DY, DX = np.indices((2 * RADIUS + 1,) * 2) - RADIUS


def main(paths):
    """Measure and print."""
    print(f"{'frame':32s}  sigma   sky photons  corr x   y   patches  FWHM  beta     e stars")
    for path in paths:
        with fits.open(path) as hdus:
            image = hdus[0].data.astype(float)
            band = SDSS.bands.index(hdus[0].header["FILTER"].strip())
            sky = hdus[2].data["ALLSKY"].mean() * hdus[1].data.mean()  # counts, and nanomaggies per count
        free = empty_pixels(image)
        sigma = pixel_noise(image, free)
        across, along = correlation(image / sigma, free)
        sky_magnitude = SDSS.zero_point - 2.5 * np.log10(sky / SDSS.pixel_scale**2)
        excess = patch_scatter(image / sigma, free)
        fwhm, beta, ellipticity, n_stars = star_shape(image, sigma)
        print(
            f"{str(path).split('/')[-1]:32s} {sigma:6.4f} {sky_magnitude:5.2f}"
            f" {np.sqrt(sky / SDSS.gain[band]):7.4f}  {across:+.3f} {along:+.3f}  {excess:6.3f}"
            f" {fwhm * SDSS.pixel_scale:5.2f} {beta:5.2f} {ellipticity:5.2f} {n_stars:5d}"
        )


def empty_pixels(image):
    """True for pixels far from any source."""
    smooth = gaussian_filter(image, SMOOTHING)
    _, median, spread = sigma_clipped_stats(smooth, sigma=2.5)
    sources = detect_sources(smooth, median + 2 * spread, n_pixels=9)
    return ~binary_dilation(sources.data > 0, iterations=12)


def pixel_noise(image, free):
    """Standard deviation of a pixel about the smoothed image, for what smoothing takes of it."""
    peak, power = 1 / (2 * np.pi * SMOOTHING**2), 1 / (4 * np.pi * SMOOTHING**2)
    return mad_std((image - gaussian_filter(image, SMOOTHING))[free]) / np.sqrt(1 - 2 * peak + power)


def correlation(image, free):
    """Correlation of the noise with the next pixel of the row and of the column."""
    residual = np.clip(image - np.median(image[free]), -4, 4)
    across = (residual[:, 1:] * residual[:, :-1])[free[:, 1:] & free[:, :-1]].mean()
    return across, (residual[1:] * residual[:-1])[free[1:] & free[:-1]].mean()


def patch_scatter(image, free):
    """Scatter of the means of empty patches beyond that of independent pixels of unit noise."""
    means, numbers = [], []
    for y in range(0, image.shape[0] - PATCH, PATCH):
        for x in range(0, image.shape[1] - PATCH, PATCH):
            empty = free[y : y + PATCH, x : x + PATCH]
            if empty.sum() > LEAST_EMPTY:
                means.append(image[y : y + PATCH, x : x + PATCH][empty].mean())
                numbers.append(empty.sum())
    return np.sqrt(max(0.0, mad_std(means) ** 2 - np.mean(1 / np.array(numbers))))


def star_shape(image, sigma):
    """Median FWHM [pixel], beta and ellipticity of isolated stars, and their number."""
    found = DAOStarFinder(threshold=PEAK_SNR[0] / 2 * sigma, fwhm=SMOOTHING)(image)
    x, y, peak = (np.asarray(found[name]) for name in ("x_centroid", "y_centroid", "peak"))
    chosen = np.flatnonzero((peak > PEAK_SNR[0] * sigma) & (peak < PEAK_SNR[1] * sigma))
    shapes = []
    for i in chosen[np.argsort(-peak[chosen])][:N_STARS]:
        column, row = round(float(x[i])), round(float(y[i]))
        inside = RADIUS <= column < image.shape[1] - RADIUS and RADIUS <= row < image.shape[0] - RADIUS
        if inside and (np.hypot(x - x[i], y - y[i]) < 1.5 * RADIUS).sum() == 1:
            stamp = image[row - RADIUS : row + RADIUS + 1, column - RADIUS : column + RADIUS + 1]
            shapes.append(fit_moffat(stamp, sigma))
    shapes = np.array(shapes)
    stars = np.abs(shapes[:, 0] / np.percentile(shapes[:, 0], 30) - 1) < STAR_WIDTH
    return *np.median(shapes[stars], axis=0), stars.sum()


def fit_moffat(stamp, sigma):
    """FWHM [pixel], beta and ellipticity of a star; the last as `psf_ellipticity` of `draw_components`."""
    positive = np.maximum(stamp, 0)
    # Photons, roughly, and 3 % of the flux for what no Moffat profile fits.
    weight = 1 / np.sqrt(sigma**2 + 0.006 * sigma * positive + (0.03 * positive) ** 2)
    start = [1.2 * stamp.max(), 0, 0, np.log(2.6), np.log(3), 0, 0, 0]
    with np.errstate(over="ignore"):
        fit = least_squares(lambda p: ((moffat(p) - stamp) * weight).ravel(), start, max_nfev=60)
    return np.exp(fit.x[3]), np.exp(fit.x[4]), np.hypot(fit.x[5], fit.x[6])


def moffat(parameters):
    """Elliptical Moffat profile on the pixels of a star, averaged over 3 x 3 points of each."""
    amplitude, x, y, ln_fwhm, ln_beta, e1, e2, sky = parameters
    beta, fwhm = np.exp(ln_beta), np.exp(ln_fwhm)
    total = 0
    for step_x in (-1 / 3, 0, 1 / 3):
        for step_y in (-1 / 3, 0, 1 / 3):
            u, v = DX + step_x - x, DY + step_y - y
            r2 = np.maximum((1 - e1) * u**2 + (1 + e1) * v**2 - 2 * e2 * u * v, 0)
            total = total + (1 + r2 * 4 * (2 ** (1 / beta) - 1) / fwhm**2) ** -beta
    return amplitude * total / 9 + sky


if __name__ == "__main__":
    main(sys.argv[1:])
