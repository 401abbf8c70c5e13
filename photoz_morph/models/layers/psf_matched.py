"""Fluxes of one aperture before the seeing in all bands, and the galaxy's shape: what colours and types are read from.

Seeing differs from band to band, so the light of a galaxy in a fixed aperture of the image is that of another part of
the galaxy in each band. A Gaussian weight of covariance A - P, in an image whose point-spread function is a Gaussian of
covariance P, gives the flux that the weight of covariance A would give without any seeing (GAaP photometry: Kuijken
2008; Kuijken et al. 2015, Appendix A). A follows the shape of the galaxy: its adaptive moments (Bernstein & Jarvis
2002, Sec. 3), less those of the seeing.

The layers have no weights to train, and what they give does not change when a stamp is mirrored or rotated by right
angles; but they take half the time of a training step of a small network. A network that is trained on stamps which
change in no other way is given `MEASURED`, measured once, and its weights are saved in the network that measures.
"""

import keras
import numpy as np
from keras import ops

from photoz_morph.models.layers.arcsinh import arcsinh

__all__ = ["LogConditions", "PsfMatchedPhotometry"]

MEASURED = ("measured_fluxes", "measured_shape")  # what the photometry gives, as inputs of a network
SCALES = (0.75, 1.0, 1.5, 2.25)  # sizes of the apertures, as multiples of the galaxy's own; our choice
FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
# Our choices, in pixels: where the iteration starts, and bounds that keep it on the galaxy when the stamp has another.
FIRST_SIGMA2, SIGMA2_RANGE, LARGEST_OFFSET = 9.0, (2.0, 90.0), 3.0
LARGEST_ELLIPTICITY, LARGEST_INTRINSIC_ELLIPTICITY = 0.85, 0.95  # of the image, and before the seeing
SMALLEST_INTRINSIC_SIGMA2 = 0.5  # of a point [pixel^2]
SMALLEST_WEIGHT = 0.3  # A - P of a point in the band of the widest seeing [pixel^2]
# A pixel brighter than all of so many pixels around its mirror image, by so many times the noise, is another object's.
MIRROR_SIDE, NOISE_FACTOR = 5, 4.0
TYPICAL_PIXELS = 9  # of an aperture, for the scale of its noise


def measured_sizes(n_bands):
    """Numbers of a galaxy in each of `MEASURED`, with the default `scales`."""
    return dict(zip(MEASURED, (len(SCALES) * n_bands, 4)))


def takes_photometry(model):
    """Whether a network is given its photometry."""
    return MEASURED[0] in getattr(model, "input", ())


def measured_photometry(network, batches):
    """Photometry of galaxies.

    Parameters
    ----------
    network : keras.Model
        That measures it.
    batches : iterable
        Of its inputs.

    Returns
    -------
    dict of str to ndarray, shape (n, ...)
        `MEASURED`, in the order of the galaxies.
    """
    layer = network.get_layer("psf_matched_photometry")
    measure = keras.Model(network.input, dict(zip(MEASURED, layer.output)))
    parts = [measure(batch) for batch in batches]  # not by `predict`, which divides batches among replicas
    return {name: np.concatenate([ops.convert_to_numpy(part[name]) for part in parts]) for name in MEASURED}


@keras.saving.register_keras_serializable("photoz_morph")
class LogConditions(keras.layers.Layer):
    """Logarithms of positive observing conditions; unknown ones (NaN, or not positive) are those of a typical image.

    Parameters
    ----------
    typical : sequence of float
        Typical values, one per band, until `adapt` measures them.
    """

    def __init__(self, typical, **kwargs):
        super().__init__(**kwargs)
        self.typical = tuple(float(value) for value in typical)

    def build(self, input_shape):
        self.log_typical = self.add_weight(
            shape=(len(self.typical),), initializer="zeros", trainable=False, name="log_typical"
        )
        self.log_typical.assign(np.log(self.typical))

    def adapt(self, values):
        """Take the medians of known values as typical; a band without any keeps its value.

        Parameters
        ----------
        values : ndarray, shape (n, n_bands)
        """
        log_typical = ops.convert_to_numpy(self.log_typical).copy()
        for band, column in enumerate(np.asarray(values, float).T):
            known = column[np.isfinite(column) & (column > 0)]
            if len(known):
                log_typical[band] = np.log(np.median(known))
        self.log_typical.assign(log_typical)

    def call(self, values):
        is_known = ops.logical_and(ops.isfinite(values), values > 0)
        return ops.where(is_known, ops.log(ops.where(is_known, values, 1.0)), self.log_typical)

    def get_config(self):
        return {**super().get_config(), "typical": self.typical}


@keras.saving.register_keras_serializable("photoz_morph")
class PsfMatchedPhotometry(keras.layers.Layer):
    """PSF-matched fluxes and shape of the object at the centre of a stamp.

    Parameters
    ----------
    sky_sigma : sequence of float
        Background noise of a pixel in one exposure, one per band [image unit].
    pixel_scale : float
        [arcsec]
    scales : sequence of float
        Sizes of the apertures, as multiples of the galaxy's own before the seeing.
    crop : int
        Side of the central square that is measured [pixel].
    n_iterations : int
        Of the adaptive moments.
    typical_fwhm : sequence of float
        Full widths at half maximum of the seeing where `call` is not told them, one per band [arcsec].
    """

    def __init__(
        self, sky_sigma, pixel_scale, scales=SCALES, crop=48, n_iterations=10, typical_fwhm=None,
        **kwargs,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.sky_sigma, self.pixel_scale, self.scales = tuple(sky_sigma), pixel_scale, tuple(scales)
        self.crop, self.n_iterations = crop, n_iterations
        self.typical_fwhm = typical_fwhm and tuple(typical_fwhm)

    def build(self, image_shape, log_fwhm_shape=None):
        side = min(self.crop, *image_shape[1:3])
        y, x = (axis.ravel() - (side - 1) / 2 for axis in np.indices((side, side)))
        self.side = side
        # Quadratic forms and moments are products with these, shapes (6, n_pixels) and (n_pixels, 6).
        self.quadratic = np.stack([x * x, y * y, x * y, x, y, np.ones_like(x)]).astype("float32")
        self.monomials = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1).astype("float32")

    def call(self, image, log_fwhm=None):
        """Fluxes and shape.

        Parameters
        ----------
        image : tensor, shape (n, size, size, n_bands)
            [image unit]
        log_fwhm : tensor, shape (n, n_bands), optional
            Logarithms of the full widths at half maximum of the point-spread functions [ln arcsec].

        Returns
        -------
        fluxes : tensor, shape (n, len(scales) * n_bands)
            Asinh of the flux in each aperture, in units of twice the noise of a typical one.
        shape : tensor, shape (n, 4)
            Logarithm of the size before the seeing, ellipticity before the seeing, logarithm of the size in the image
            [ln pixel], and distance of the centroid from the stamp's centre [pixel]. Sizes are standard deviations of
            the Gaussian; ellipticity is (a^2 - b^2) / (a^2 + b^2).
        """
        if log_fwhm is None:
            log_fwhm = ops.zeros_like(image[:, 0, 0]) + np.log(self.typical_fwhm).astype("float32")
        noise = ops.convert_to_tensor(self.sky_sigma, "float32")
        pixels = self._pixels(image, noise)
        seeing = ops.square(ops.exp(log_fwhm) / (self.pixel_scale * FWHM_PER_SIGMA))  # variance [pixel^2]
        centre, moments, share = self._adaptive_moments(pixels / noise)
        intrinsic, ellipticity = _before_seeing(moments, ops.sum(share * seeing, axis=-1))
        fluxes = [self._fluxes(pixels, seeing, centre, intrinsic, scale, noise) for scale in self.scales]
        size, size_in_image = (ops.log((xx + yy) / 2) / 2 for xx, yy, _ in (intrinsic, moments))
        offset = ops.sqrt(ops.square(centre[0]) + ops.square(centre[1]))
        return ops.concatenate(fluxes, axis=-1), ops.stack([size, ellipticity, size_in_image, offset], axis=-1)

    def _pixels(self, image, noise):
        """The central square, shape (n, n_pixels, n_bands), less what is not symmetric about the centre: neighbours."""
        _, rows, columns, n_bands = image.shape
        top, left = (rows - self.side) // 2, (columns - self.side) // 2
        image = image[:, top : top + self.side, left : left + self.side]
        brightest = ops.flip(image, axis=(1, 2))
        for side in ((MIRROR_SIDE, 1), (1, MIRROR_SIDE)):  # in half the time of the square at once
            brightest = ops.max_pool(brightest, side, strides=1, padding="same")
        limit = ops.maximum(brightest, 0.0) + NOISE_FACTOR * noise
        return ops.reshape(ops.minimum(image, limit), (-1, self.side**2, n_bands))

    def _weight(self, centre, covariance):
        """Gaussians of unit peak, shape (n, k, n_pixels), for centres and covariances of shape (n, k)."""
        (x, y), (xx, yy, xy) = centre, covariance
        determinant = xx * yy - xy * xy
        a, b, c = yy / determinant, xx / determinant, -xy / determinant
        constant = a * x * x + b * y * y + 2 * c * x * y
        form = ops.stack([a, b, 2 * c, -2 * (a * x + c * y), -2 * (b * y + c * x), constant], axis=-1)
        return ops.exp(-0.5 * ops.matmul(form, self.quadratic))

    def _adaptive_moments(self, pixels):
        """Centre, covariance and each band's share of the light, of the Gaussian that fits the sum of the bands best.

        The covariance that an image has under a Gaussian weight of its own shape is half that of the weight.
        """
        image = ops.sum(pixels, axis=-1)
        x = y = ops.zeros_like(image[:, 0])
        xx = yy = x + FIRST_SIGMA2
        xy = x
        for _ in range(self.n_iterations):
            weight = self._weight((x[:, None], y[:, None]), (xx[:, None], yy[:, None], xy[:, None]))[:, 0]
            sums = ops.matmul(weight * image, self.monomials)
            mean = sums[:, 1:] / ops.maximum(sums[:, :1], keras.config.epsilon())
            x, y = (ops.clip(mean[:, axis], -LARGEST_OFFSET, LARGEST_OFFSET) for axis in (0, 1))
            xx, yy, xy = (
                2 * (mean[:, moment] - mean[:, one] * mean[:, other])
                for moment, one, other in ((2, 0, 0), (3, 1, 1), (4, 0, 1))
            )
            sigma2 = ops.clip((xx + yy) / 2, *SIGMA2_RANGE)
            xx, yy, xy = _ellipse(sigma2, (xx - yy) / 2, xy, LARGEST_ELLIPTICITY)
        light = ops.maximum(ops.matmul(weight[:, None], pixels)[:, 0], 0.0)
        share = light / ops.maximum(ops.sum(light, axis=-1, keepdims=True), keras.config.epsilon())
        return (x, y), (xx, yy, xy), share

    def _fluxes(self, pixels, seeing, centre, intrinsic, scale, noise):
        """Asinh fluxes of the aperture of one scale, shape (n, n_bands)."""
        widest = ops.max(seeing, axis=-1) + SMALLEST_WEIGHT
        xx, yy, xy = (scale**2 * moment for moment in intrinsic)
        aperture = [(moment + widest)[:, None] + 0 * seeing for moment in (xx, yy)] + [xy[:, None] + 0 * seeing]
        own = [moment - seeing for moment in aperture[:2]] + [aperture[2]]
        weight = self._weight([ops.tile(axis[:, None], (1, seeing.shape[-1])) for axis in centre], own)
        flux = ops.sum(weight * ops.transpose(pixels, (0, 2, 1)), axis=-1)
        area, own_area = (moments[0] * moments[1] - moments[2] ** 2 for moments in (aperture, own))
        return arcsinh(flux * ops.sqrt(area / own_area) / (2 * TYPICAL_PIXELS**0.5 * noise))

    def get_config(self):
        names = ("sky_sigma", "pixel_scale", "scales", "crop", "n_iterations", "typical_fwhm")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _before_seeing(moments, seeing):
    """Covariance less that of the seeing, and its ellipticity."""
    xx, yy, xy = moments
    sigma2 = ops.maximum((xx + yy) / 2 - seeing, SMALLEST_INTRINSIC_SIGMA2)
    intrinsic = _ellipse(sigma2, (xx - yy) / 2, xy, LARGEST_INTRINSIC_ELLIPTICITY)
    difference = (intrinsic[0] - intrinsic[1]) / 2
    return intrinsic, ops.sqrt(ops.square(difference) + ops.square(intrinsic[2])) / sigma2


def _ellipse(sigma2, difference, xy, largest):
    """Covariance (xx, yy, xy) of a mean variance and two parts of the ellipticity, which is at most `largest`."""
    length = ops.sqrt(ops.square(difference) + ops.square(xy) + keras.config.epsilon())
    factor = ops.minimum(1.0, largest * sigma2 / length)
    return sigma2 + factor * difference, sigma2 - factor * difference, factor * xy
