"""Augmentations that make a network robust to noise and to single pixels: fewer years of exposure, a corrupted pixel.

Each is a function of the image, the galaxy's `obj_id` and a seed that `MorphBatches` derives from (seed, epoch), so
that an epoch that is repeated after an interruption has the same images.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from photoz_morph.mocks.exposure import electron_rate, sky_rate, stamp_binning


@dataclass(frozen=True)
class StampNoise:
    """Variance of the noise of a stamp pixel after all years of a survey, per_flux x + floor; tuples over bands.

    Attributes
    ----------
    n_years : int
    per_flux : tuple of float
        Photon noise of the galaxy's light [nJy].
    floor : tuple of float
        Photon noise of the sky and read noise [nJy^2].
    """

    n_years: int
    per_flux: tuple
    floor: tuple


def stamp_noise(survey, binning, field_kpc):
    """Noise of the stamps that `mocks.observe` draws after all years of a survey.

    Parameters
    ----------
    survey : VisitSurvey
    binning : {"sample", "sum"}
    field_kpc : float
        Both as in `mocks.observe`.

    Returns
    -------
    StampNoise

    Notes
    -----
    A pixel collects c = (x / w + n sky) t electrons, with n camera pixels read, the weight w of `observe`, and sky and
    x in electrons per second. Its variance c + n visits read_noise^2 is here in nJy^2, linear in x.
    """
    block = stamp_binning(field_kpc, survey)
    n_pixels, weight = (block**2, 1) if binning == "sum" else (1, block**2)
    visits = survey.visits(survey.n_years)
    exposure_s = visits * survey.visit_time_s
    per_electron = weight / (electron_rate(survey) * exposure_s)  # [nJy]
    electrons = n_pixels * (sky_rate(survey) * exposure_s + visits * survey.read_noise**2)
    return StampNoise(survey.n_years, tuple(per_electron), tuple(per_electron**2 * electrons))


def with_fewer_years(image, years, noise, seed):
    """Image as it would be after fewer years of exposure, by thinning of its electrons.

    Parameters
    ----------
    image : tensor, shape (size, size, n_bands)
        After `noise.n_years` years [nJy per stamp pixel].
    years : int tensor
        1 to `noise.n_years`, which leaves the image unchanged.
    noise : StampNoise
    seed : int tensor, shape (2,)

    Returns
    -------
    tensor, shape (size, size, n_bands)

    Notes
    -----
    Of c electrons a fraction p = years / n_years is kept, binomially: p c on average, with variance p (1 - p) c. With
    the read noise of the fewer visits, counts are p c + sqrt(p (1 - p) (c + n r^2)) N(0, 1), r^2 that of all visits.
    Divided by p they are the flux, whose variance has grown by (1 / p - 1) times that of all years. A pixel has 10^4
    electrons or more, so that the binomial is a Gaussian.
    """
    variance = tf.maximum(image * tf.constant(noise.per_flux, tf.float32) + tf.constant(noise.floor, tf.float32), 0.0)
    added = (noise.n_years / tf.cast(years, tf.float32) - 1) * variance
    return image + tf.sqrt(added) * tf.random.stateless_normal(tf.shape(image), seed)


def with_random_years(image, obj_id, noise, seeds):
    """Image after a random whole number of years, 1 to all; equal probabilities are our choice.

    Parameters
    ----------
    image : tensor, shape (size, size, n_bands)
        [nJy per stamp pixel]
    obj_id : int tensor
    noise : StampNoise
    seeds : sequence of two int
        For the years and for the noise.
    """
    years = tf.random.stateless_uniform((), [seeds[0], obj_id], 1, noise.n_years + 1, tf.int32)
    return with_fewer_years(image, years, noise, [seeds[1], obj_id])


def with_random_pixel(image, obj_id, probability, corners, seed):
    """Image in which, with some probability, one random pixel has the lowest or highest value in each band.

    Parameters
    ----------
    image : tensor, shape (size, size, n_bands)
    obj_id : int tensor
    probability : float
    corners : array_like, shape (2, n_bands)
        Lowest and highest value of each band; one of the two is drawn for each band.
    seed : int

    Returns
    -------
    tensor, shape (size, size, n_bands)
    """
    size, _, n_bands = image.shape
    draw = tf.random.stateless_uniform((3 + n_bands,), [seed, obj_id])
    low, high = np.asarray(corners, np.float32)
    place = tf.cast(draw[1:3] * size, tf.int32)
    changed = tf.tensor_scatter_nd_update(image, [place], [tf.where(draw[3:] < 0.5, low, high)])
    return tf.where(draw[0] < probability, changed, image)
