"""Sources of an image by the rules of SExtractor (Bertin & Arnouts 1996), with `sep` (Barbary 2016).

The bands are added to one detection image; connected pixels of it above a threshold are a source, which is taken apart
at higher thresholds. What comes out is a table of sources and a map of their pixels, in which every pixel belongs to
one source. Fluxes in each band are measured by `photometry`.
"""

from dataclasses import dataclass

import numpy as np
import sep
from astropy.table import Table

from photoz_morph.blend.scenes.scene import sigma_map

# 3 x 3 pixels of SExtractor's default.conv; a FWHM of 0 in the settings stands for it.
DEFAULT_KERNEL = np.array([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
FWHM_TO_SIGMA = 1 / np.sqrt(8 * np.log(2))
CHOICES = {
    "combine": ("sum", "weighted"), "filter_type": ("conv", "matched"), "box": ("segment", "ellipse"),
    "rank": ("flux", "peak"), "mask_type": ("correct", "blank", "none"),
}  # fmt: skip
MAX_PARTS = 4096  # that a source is taken apart into; sep's 1,024 are too few for clusters of galaxies
MIN_STACK = 1000  # pixels
COLUMNS = ("y", "x", "a", "b", "theta", "npix", "flag")  # as sep has them


@dataclass(frozen=True)
class SepSettings:
    """How sources are detected; the defaults are SExtractor's.

    Attributes
    ----------
    threshold : float
        Of the filtered detection image [sigma of a pixel before it is filtered; with the matched filter, after].
    minarea : int
        Pixels that a source needs.
    deblend_nthresh : int
        Levels at which a source is taken apart.
    deblend_cont : float
        Fraction of its flux that a part needs to be a source of its own; 1 takes nothing apart.
    filter_fwhm : float
        FWHM of the Gaussian filter [pixel]; 0 for the 3 x 3 pixels of SExtractor.
    filter_type : {"conv", "matched"}
        Whether the filter knows of noise that varies from pixel to pixel.
    combine : {"sum", "weighted"}
        Detection image: the sum of the bands, or weighted by flux over variance for a source of equal flux in each.
    box : {"segment", "ellipse"}
        Boxes around the pixels of a source, or around the ellipse of its second moments.
    box_radii : float
        Semi-axes of that ellipse [standard deviations of the light].
    rank : {"flux", "peak"}
        Score of a source: signal-to-noise ratio of its pixels' sum, or of its brightest filtered pixel.
    mask_type : {"correct", "blank", "none"}
        What becomes of the pixels of neighbours within an aperture; see `photometry.without_others`.
    """

    threshold: float = 1.5
    minarea: int = 5
    deblend_nthresh: int = 32
    deblend_cont: float = 0.005
    filter_fwhm: float = 0.0
    filter_type: str = "conv"
    combine: str = "sum"
    box: str = "segment"
    box_radii: float = 2.5
    rank: str = "flux"
    mask_type: str = "correct"

    def __post_init__(self):
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}, needs to be one of {', '.join(known)}")
        for name in ("threshold", "minarea", "deblend_nthresh", "box_radii"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, needs to be positive")
        if not 0 <= self.deblend_cont <= 1 or self.filter_fwhm < 0:
            raise ValueError(
                f"deblend_cont is {self.deblend_cont}, filter_fwhm {self.filter_fwhm}; give a fraction and a width"
            )


def subtract_background(image, is_bad=None, mesh=64):
    """Image without its sky, and the noise of each band, as SExtractor estimates them.

    Parameters
    ----------
    image : ndarray, shape (height, width, n_bands)
    is_bad : ndarray of bool, shape (height, width), optional
        Pixels to leave out.
    mesh : int
        Side of the meshes in which the sky is estimated [pixel]; three by three of them are filtered by their median.

    Returns
    -------
    image : ndarray, shape (height, width, n_bands), float32
    sigma : ndarray, shape (n_bands,)
        Median over the image of the noise of a pixel.
    """
    backgrounds = [
        sep.Background(np.ascontiguousarray(band, np.float32), mask=is_bad, bw=mesh, bh=mesh)
        for band in np.moveaxis(np.asarray(image), -1, 0)
    ]
    sky = np.stack([background.back() for background in backgrounds], axis=-1)
    return (image - sky).astype(np.float32), np.array([background.globalrms for background in backgrounds])


def detection_image(image, sigma, combine="sum"):
    """One image of all bands, its noise, and the pixels that cannot be used.

    Parameters
    ----------
    image : ndarray, shape (height, width, n_bands)
    sigma : ndarray, shape (n_bands,) or (height, width, n_bands)
    combine : {"sum", "weighted"}

    Returns
    -------
    pixels, noise : ndarray, shape (height, width), float32
        Noise of 1 and pixels of 0 where they cannot be used.
    is_bad : ndarray of bool, shape (height, width)
        Noise infinite, or the pixel not finite, in some band.
    """
    image, sigma = np.asarray(image), np.asarray(sigma, float)
    noise = sigma_map(sigma, image.shape)
    is_bad = ~np.isfinite(image).all(axis=-1) | ~np.isfinite(sigma).all(axis=-1)
    if is_bad.any():
        noise, image = np.where(is_bad[..., None], 1, noise), np.where(is_bad[..., None], 0, image)
    elif sigma.ndim == 1:
        noise = sigma  # one sum instead of one for each pixel
    weights = np.ones_like(noise) if combine == "sum" else 1 / noise**2
    pixels = np.einsum("ijk,k->ij" if weights.ndim == 1 else "ijk,ijk->ij", image, weights)
    noise = np.broadcast_to(np.sqrt(np.sum((weights * noise) ** 2, axis=-1)), pixels.shape)
    return pixels.astype(np.float32), np.ascontiguousarray(noise, np.float32), is_bad


def detect(image, sigma, settings=SepSettings()):
    """Detect the sources of an image.

    Parameters
    ----------
    image : ndarray, shape (height, width, n_bands)
        Sky subtracted.
    sigma : ndarray, shape (n_bands,) or (height, width, n_bands)
        Noise, infinite where pixels are not to be used.
    settings : SepSettings

    Returns
    -------
    sources : Table
        `y`, `x` [pixel], barycentre; `box` (y0, x0, y1, x1) of pixel edges; `score`; `a`, `b` [pixel] and `theta`
        [rad] of the ellipse of second moments; `npix`; `flag` of SExtractor; `peak`, the brightest pixel of the
        detection image.
    segmentation : ndarray of int32, shape (height, width)
        0 where no source is, i + 1 where row i is.
    """
    pixels, noise, is_bad = detection_image(image, sigma, settings.combine)
    kernel = filter_kernel(settings.filter_fwhm)
    # Room for all pixels above the threshold: sep needs a few more than an image has, and its default, much more, would
    # make a small image ten times as slow.
    sep.set_extract_pixstack(2 * max(pixels.size, MIN_STACK))
    sep.set_sub_object_limit(MAX_PARTS)
    objects, segmentation = sep.extract(
        pixels, settings.threshold, err=noise, mask=is_bad, minarea=settings.minarea, filter_kernel=kernel,
        filter_type=settings.filter_type, deblend_nthresh=settings.deblend_nthresh,
        deblend_cont=settings.deblend_cont, segmentation_map=True,
    )  # fmt: skip
    sources = Table({name: objects[name] for name in COLUMNS})
    sources["theta"] = np.clip(sources["theta"], -np.pi / 2, np.pi / 2)  # rounding leaves it outside now and then
    sources["peak"] = objects["peak"]
    sources["box"] = _boxes(objects, settings, pixels.shape)
    sources["score"] = _scores(objects, segmentation, noise, kernel, settings)
    return sources, segmentation.astype(np.int32)


def filter_kernel(fwhm):
    """Kernel of a Gaussian of that FWHM [pixel] with a sum of 1, or for 0 SExtractor's 3 x 3 pixels."""
    if fwhm == 0:
        return DEFAULT_KERNEL / DEFAULT_KERNEL.sum()
    sigma = fwhm * FWHM_TO_SIGMA
    half = max(int(np.ceil(2.5 * sigma)), 1)
    one = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    kernel = np.outer(one, one)
    return kernel / kernel.sum()


def _boxes(objects, settings, shape):
    """Boxes of sources within an image, shape (n, 4)."""
    if settings.box == "segment":
        low = np.stack([objects["ymin"], objects["xmin"]], axis=1) - 0.5
        high = np.stack([objects["ymax"], objects["xmax"]], axis=1) + 0.5
        return np.concatenate([low, high], axis=1)
    # Extents of an ellipse along the axes are the roots of its second moments.
    centre = np.stack([objects["y"], objects["x"]], axis=1)
    half = settings.box_radii * np.sqrt(np.maximum(np.stack([objects["y2"], objects["x2"]], axis=1), 1 / 12))
    edges = np.array(shape) - 0.5
    return np.concatenate([np.maximum(centre - half, -0.5), np.minimum(centre + half, edges)], axis=1)


def _scores(objects, segmentation, noise, kernel, settings):
    """Signal-to-noise ratios of sources."""
    if settings.rank == "peak":
        at = noise[objects["ypeak"], objects["xpeak"]] if len(objects) else np.ones(0)
        return objects["cpeak"] / (at * np.sqrt(np.sum(kernel**2)))  # white noise, filtered
    variance = np.bincount(segmentation.ravel(), noise.ravel().astype(float) ** 2, minlength=len(objects) + 1)[1:]
    return objects["flux"] / np.sqrt(variance)
