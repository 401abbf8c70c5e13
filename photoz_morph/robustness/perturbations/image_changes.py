"""Changes of whole images by storage, calibration and sky: bits, compression, background, seeing, exposure, position.

Functions take (images, obj_ids, severity, context, seed); see `registry`.
"""

import io

import numpy as np
from astropy.io import fits
from PIL import Image
from scipy.fft import dctn, idctn

from photoz_morph.robustness.perturbations.observing import galaxy_rngs
from photoz_morph.system.threads import one_thread

STEPS_PER_SIGMA = 4  # the quantisation that fpack (cfitsio) takes by default
N_DITHER_SEEDS = 10000  # of cfitsio's ZDITHER0
JPEG_SOFTENING = 2.0  # our choice [sky sigma]: where the arcsinh turns logarithmic; sky noise is 10 to 20 grey levels
FWHM_TO_SIGMA = 1 / np.sqrt(8 * np.log(2))  # of a Gaussian
LANCZOS_ORDER = 3  # LANCZOS3, the default of SWarp and of the LSST pipelines' warping


def bit_flip(images, obj_ids, severity, context, seed=0):
    """Bit number `severity` (1 the least significant) of one integer is wrong in a FITS image with BITPIX 32.

    BSCALE is a quarter of the sky sigma of the band and BZERO 0, so that bit k is worth 2^(k - 1) / 4 sigma; the other
    pixels are rounded to BSCALE, which adds 0.3 % to their noise.
    """
    step = context.sky_sigma / STEPS_PER_SIGMA
    stored = np.rint(images / step).astype(np.int32)
    for number, rng in enumerate(galaxy_rngs("bit_flip", obj_ids, seed)):
        band, row, column = rng.integers((images.shape[3], images.shape[1], images.shape[2]))
        # In two's complement a bit that is already set is taken away.
        stored[number, row, column, band] ^= np.uint32(1 << (int(severity) - 1)).astype(np.int32)
    return (stored * step).astype(np.float32)


def rice(images, obj_ids, severity, context, seed=0):
    """Written and read with RICE compression in steps of `severity` times the noise that cfitsio finds in a band.

    astropy's default is 1/16 (quantize_level 16), that of fpack 1/4. Steps are dithered (SUBTRACTIVE_DITHER_1), which
    adds severity / sqrt(12) sigma of noise.
    """
    restored = np.empty_like(images, np.float32)
    for number, rng in enumerate(galaxy_rngs("rice", obj_ids, seed)):
        bands = np.ascontiguousarray(np.moveaxis(images[number], -1, 0), np.float32)
        hdu = fits.CompImageHDU(
            bands, compression_type="RICE_1", tile_shape=(1, *bands.shape[1:]), quantize_level=1 / severity,
            quantize_method=1, dither_seed=int(rng.integers(1, N_DITHER_SEEDS + 1)),
        )  # fmt: skip
        file = io.BytesIO()
        hdu.writeto(file)
        with fits.open(io.BytesIO(file.getvalue())) as hdus:
            restored[number] = np.moveaxis(hdus[1].data, 0, -1)
    return restored


def jpeg(images, obj_ids, severity, context, seed=0):
    """Written and read as a colour JPEG of quality `severity` of an arcsinh stretch of 8 bits.

    i, r and g are red, green and blue, each in units of its sky sigma; black and white are the darkest and the
    brightest pixel of the image and are remembered. Colours are subsampled by two, as JPEG does by default.
    """
    softening = JPEG_SOFTENING * context.sky_sigma
    stretched = np.arcsinh(images / softening)
    restored = np.empty(images.shape)
    for number, image in enumerate(stretched):
        black, white = image.min(), image.max()
        grey = np.rint(255 * (image - black) / max(white - black, np.finfo(float).tiny)).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(grey[..., ::-1]).save(file, "JPEG", quality=int(severity))
        restored[number] = np.asarray(Image.open(file), float)[..., ::-1] / 255 * (white - black) + black
    return (softening * np.sinh(restored)).astype(np.float32)


def background(images, obj_ids, severity, context, seed=0):
    """The sky is subtracted wrongly by `severity` sky sigma in all bands, too much or too little."""
    signs = np.array([rng.choice((-1.0, 1.0)) for rng in galaxy_rngs("background", obj_ids, seed)])
    return (images + severity * signs[:, None, None, None] * context.sky_sigma).astype(np.float32)


def psf(images, obj_ids, severity, context, seed=0):
    """Light is spread by a further Gaussian with a full width at half maximum of `severity` arcsec.

    The convolution smooths the noise with the light, but worse seeing does not: it leaves a part K^2 of the power of
    the noise, with K the transfer function, and new noise with a part 1 - K^2 makes it as white and as strong
    as before: that of the sky and, pixel by pixel, the photon noise of the convolved light. Stamps continue as mirror
    images (cosine transform), so flux is kept.
    """
    sigma = severity * FWHM_TO_SIGMA / context.pixel_arcsec
    frequency = [np.arange(size) / (2 * size) for size in images.shape[1:3]]  # cycles per pixel
    squared = frequency[0][:, None] ** 2 + frequency[1][None, :] ** 2
    transfer = np.exp(-2 * np.pi**2 * sigma**2 * squared)[None, :, :, None]
    light = _filtered(images.astype(float), transfer)
    noise = np.stack([rng.normal(size=images.shape[1:]) for rng in galaxy_rngs("psf", obj_ids, seed)])
    # Of n electrons the variance is n, hence that of a flux is flux times the flux of one electron.
    noise *= np.sqrt(context.sky_sigma**2 + np.maximum(light, 0) * context.njy_per_electron)
    return (light + _filtered(noise, np.sqrt(1 - transfer**2))).astype(np.float32)


def _filtered(images, transfer):
    """Images times a transfer function of the cosine transform, shape (1, rows, columns, 1)."""
    return idctn(dctn(images, axes=(1, 2), norm="ortho") * transfer, axes=(1, 2), norm="ortho")


def exposure(images, obj_ids, severity, context, seed=0):
    """Image of a shorter exposure of `severity` years, by binomial thinning of its electrons.

    Of c electrons, sky included, the fraction p = severity / years is kept: p c + sqrt(p (1 - p) (c + R)) N(0, 1), with
    R the variance of the read noise of the whole exposure. If c has variance lambda + R, as Poisson and read noise
    give, the result has p (lambda + R), that of the shorter exposure.

    Raises
    ------
    ValueError
        If it is longer than the exposure of the images.
    """
    fraction = severity / context.years
    if not 0 < fraction <= 1:
        raise ValueError(f"an exposure of {severity:g} years cannot be made of {context.years:g}; give fewer years")
    sky = context.n_pixels * context.sky_electrons
    counts = images / context.njy_per_electron + sky
    variance = np.maximum(counts + context.n_pixels * context.read_variance, 0)
    noise = np.stack([rng.normal(size=images.shape[1:]) for rng in galaxy_rngs("exposure", obj_ids, seed)])
    kept = fraction * counts + np.sqrt(fraction * (1 - fraction) * variance) * noise
    return ((kept / fraction - sky) * context.njy_per_electron).astype(np.float32)


def shift(images, obj_ids, severity, context, seed=0):
    """The stamp is cut `severity` arcsec off, in a random direction, and resampled as pipelines do.

    Lanczos interpolation of order 3, its weights normalised to one; beyond the edge the stamp continues as its mirror
    image.
    """
    angle = np.array([rng.uniform(0, 2 * np.pi) for rng in galaxy_rngs("shift", obj_ids, seed)])
    pixels = severity / context.pixel_arcsec
    rows = _lanczos_matrices(images.shape[1], pixels * np.sin(angle))
    columns = _lanczos_matrices(images.shape[2], pixels * np.cos(angle))
    bands_first = np.ascontiguousarray(np.moveaxis(images, -1, 1), float)  # BLAS wants its rows in one piece
    with one_thread():
        shifted = rows[:, None] @ bands_first @ columns[:, None].swapaxes(2, 3)
    return np.moveaxis(shifted, 1, -1).astype(np.float32)


def _lanczos_matrices(size, offsets):
    """Weight of each old pixel along a side in each new one, for shifts by offsets [pixel]: (n, size, size)."""
    whole = np.floor(offsets).astype(int)
    taps = np.arange(1 - LANCZOS_ORDER, LANCZOS_ORDER + 1)
    # The new pixel y looks at y - offset; its tap reads y - whole - 1 + tap, at this distance from there.
    distance = taps + (offsets - whole)[:, None] - 1
    weights = np.sinc(distance) * np.sinc(distance / LANCZOS_ORDER) * (np.abs(distance) < LANCZOS_ORDER)
    weights /= weights.sum(axis=1, keepdims=True)
    galaxy, new = np.indices((len(whole), size))
    matrices = np.zeros((len(whole), size, size))
    for tap, weight in zip(taps, weights.T):
        old = (new - whole[:, None] - 1 + tap) % (2 * size)
        np.add.at(matrices, (galaxy, new, np.minimum(old, 2 * size - 1 - old)), weight[:, None])
    return matrices
