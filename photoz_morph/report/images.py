"""Survey stamps as colour images, and grids of them.

`rgb` turns calibrated fluxes into colours that are the same on every stamp: nothing is scaled to the single image, so
that two galaxies of the same flux and colour look alike. Levels follow the survey's noise. North is up and east left
where stamps follow the package's convention (rows grow to the north, columns to the west): draw them with
`origin="lower"`.
"""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.surveys import SDSS

# Our choice: a galaxy of g - r = 0.55 and r - i = 0.44, between disks and ellipticals at z = 0.1, comes out white.
BAND_SCALES = {"i": 1.0, "r": 1.5, "g": 2.5}
# Our choice: what the scales of g, r, i come to for bands of another A_band / E(B-V), which falls with wavelength.
SCALE_PER_EXTINCTION = 0.57
SOFTENING = 0.08  # our choice [nanomaggy per pixel, scaled]: about twice the noise of a single SDSS frame in i
WHITE = 15.0  # our choice [nanomaggy per pixel, scaled]: cores of galaxies of r = 15 mag in SDSS
SATURATION = 1.3  # our choice: 1 keeps the flux ratios, 0 gives grey
SCALE_BAR_ARCSEC = 5.0
GAMMA = 1.4  # our choice: the display exponent is 2.2, but asinh has already lifted the faint end


def rgb(stamps, survey, bands=None, softening=None, white=None, saturation=SATURATION, gamma=GAMMA):
    """Colour images with an asinh stretch of the luminance.

    Parameters
    ----------
    stamps : ndarray, shape (n, height, width, n_bands)
        Sky-subtracted stamps [unit of the survey].
    survey : Survey
    bands : tuple of str, optional
        Bands shown as red, green and blue; by default `survey.colour_bands`.
    softening, white : float, optional
        Luminance where the stretch turns from linear to logarithmic, and where it is white [nanomaggy per pixel]; by
        default `SOFTENING` and `WHITE` times `relative_noise`.
    saturation : float
        Factor on the difference of each colour from grey.
    gamma : float
        The final image is raised to 1 / gamma.

    Returns
    -------
    ndarray, shape (n, height, width, 3), float32
        Between 0 and 1; pixels that are not finite are mid-grey.

    Raises
    ------
    ValueError
        If the survey lacks a band.

    Notes
    -----
    Lupton et al. (2004), Eqs. 1-2: the stretch acts on the mean of the three bands and a pixel brighter than white is
    divided by its largest colour, so hue survives. Saturation and gamma as in STIFF, Bertin (2012).
    """
    flux = scaled_flux(stamps, survey, bands)
    noise = relative_noise(stamps, survey, bands)
    softening, white = softening or SOFTENING * noise, white or WHITE * noise
    return asinh_colours(flux, softening, white, saturation, gamma)


def asinh_colours(flux, softening, white, saturation=SATURATION, gamma=GAMMA):
    """Colours of three fluxes that are scaled already, as `rgb` makes them.

    Parameters
    ----------
    flux : ndarray, shape (..., 3)
        In red, green and blue, of equal size where a pixel shall be grey.
    softening, white : float
        In the unit of `flux`.
    saturation, gamma : float

    Returns
    -------
    ndarray, shape (..., 3), float32
        Between 0 and 1; mid-grey where a flux is not finite.
    """
    luminance = flux.mean(axis=-1, keepdims=True)
    stretched = np.arcsinh(np.maximum(luminance, 0) / softening) / np.arcsinh(white / softening)
    # The ratio colour / luminance diverges in the noise of the sky, so it fades to grey below the softening.
    ratio = 1 + saturation * (flux - luminance) / np.maximum(luminance, softening)
    colour = np.maximum(stretched * ratio, 0)
    colour /= np.maximum(colour.max(axis=-1, keepdims=True), 1)
    return grey_where_missing(colour ** (1 / gamma), flux)


def scaled_flux(stamps, survey, bands=None):
    """Fluxes of three bands in nanomaggies, times a scale of each band; arguments and errors of `rgb`.

    The scales are `BAND_SCALES`; of other bands they rise with their extinction, from 1 for the first.
    """
    bands = bands or survey.colour_bands
    missing = [band for band in bands if band not in survey.bands]
    if missing:
        raise ValueError(f"no colour for band {', '.join(missing)}: {survey.name} has {', '.join(survey.bands)}")
    columns = [survey.bands.index(band) for band in bands]
    extinction = np.array(survey.extinction_per_ebv)[columns]
    scales = np.exp(SCALE_PER_EXTINCTION * (extinction - extinction[0]))
    if set(bands) <= BAND_SCALES.keys():
        scales = np.array([BAND_SCALES[band] for band in bands])
    return np.asarray(stamps, float)[..., columns] * scales * _to_nanomaggy(survey)


def relative_noise(stamps, survey, bands=None):
    """Noise of a pixel in the band shown as red, over that of SDSS in i, by which the levels of images are raised.

    It is `sky_sigma` of the survey, or else measured in all the stamps together: 1.4826 times the median absolute
    deviation of the pixels at their edges. Arguments are those of `rgb`.
    """
    red = survey.bands.index((bands or survey.colour_bands)[0])
    if survey.sky_sigma is not None:
        sigma = survey.sky_sigma[red]
    else:
        image = np.asarray(stamps, float)[..., red]
        edge = np.concatenate([image[:, [0, -1], :].ravel(), image[:, :, [0, -1]].ravel()])
        edge = edge[np.isfinite(edge)]
        sigma = 1.4826 * np.median(np.abs(edge - np.median(edge))) if len(edge) else 0.0
    relative = sigma * _to_nanomaggy(survey) / SDSS.sky_sigma[SDSS.bands.index("i")]
    return relative if relative > 0 else 1.0  # stamps without any noise, or without any pixel


def _to_nanomaggy(survey):
    """Nanomaggies in one image unit of a survey."""
    return 10 ** (-0.4 * (survey.zero_point - SDSS.zero_point))


def grey_where_missing(colour, flux):
    """Colours as float32, mid-grey in pixels with a flux that is not finite."""
    return np.where(np.isfinite(flux).all(axis=-1, keepdims=True), colour, 0.5).astype(np.float32)


def scale_bar(axes, size, pixel_scale):
    """A white bar of `SCALE_BAR_ARCSEC` in the lower left of a stamp.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    size : int
        Of the stamp [pixel].
    pixel_scale : float
        [arcsec].
    """
    bar, corner = SCALE_BAR_ARCSEC / pixel_scale, 0.06 * size
    axes.plot([corner, corner + bar], [corner, corner], color="white", linewidth=1.5, label="_scale bar")
    label = f'{SCALE_BAR_ARCSEC:g}"'
    axes.text(corner + bar / 2, corner + 0.02 * size, label, ha="center", va="bottom", color="white", fontsize=7)


def image_grid(images, titles, title, n_columns=6):
    """Colour images side by side, north up and east left.

    Parameters
    ----------
    images : ndarray, shape (n, height, width, 3)
        From `rgb`.
    titles : sequence of str
        One above each image.
    title : str
        Of the figure; says whether the pixels are real or simulated.
    n_columns : int

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_columns = min(n_columns, len(images))
    n_rows = -(-len(images) // n_columns)
    figure = Figure(figsize=(1.6 * n_columns, 1.8 * n_rows + 0.4), layout="constrained")
    for axes, image, text in zip(figure.subplots(n_rows, n_columns, squeeze=False).flat, images, titles):
        axes.imshow(image, origin="lower", interpolation="nearest")
        axes.set_title(text, fontsize=8)
    for axes in figure.axes:
        axes.set_axis_off()
    figure.suptitle(title)
    return figure
