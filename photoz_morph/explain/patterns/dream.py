"""Deep dreams: what a layer sees in a galaxy, exaggerated (inceptionism; Mordvintsev, Olah & Tyka 2015).

The image climbs the norm of a layer, at several sizes one after the other: what is found in a small image is enlarged
with it, and the next size adds finer detail. The network sees windows of its own size, at shifts that differ in each
step, so that any network can be used, whatever image it expects.
"""

from dataclasses import dataclass

import numpy as np
from keras import ops
from scipy.ndimage import zoom

from photoz_morph.explain.gradients import BATCH_SIZE, Score, named, unnamed
from photoz_morph.explain.patterns.layer_outputs import up_to_layer
from photoz_morph.explain.patterns.regularisers import blurred, rolled, streams


@dataclass(frozen=True)
class Dream:
    """Dreams of some galaxies.

    Attributes
    ----------
    images : ndarray, shape (n, rows, columns, n_bands)
        At the largest size [image unit, per pixel of the network: surface brightness is kept].
    detail : ndarray, shape (n, rows, columns, n_bands)
        What was dreamt: images less the enlarged galaxies [sigma of the sky].
    norms : ndarray, shape (n_octaves, 2, n)
        Root mean square of the layer's outputs before and after the steps at each size, mean over the windows.
    """

    images: np.ndarray
    detail: np.ndarray
    norms: np.ndarray


def layer_norm(filters=None):
    """Target: half the mean square of a layer's outputs, whose gradient enlarges what is there.

    Parameters
    ----------
    filters : sequence of int, optional
        Maps that count; by default all.
    """

    def target(output, galaxies):
        if filters is not None:
            output = ops.take(output, np.asarray(filters), axis=-1)
        return ops.mean(ops.square(ops.reshape(output, (ops.shape(output)[0], -1))), axis=1) / 2

    return target


def dream(
    network, layer, inputs, sky_sigma, filters=None, n_octaves=3, octave_scale=1.4, n_steps=20, step=0.5,
    blur_sigma=0.5, objects=None, seed=0, image="image", batch_size=BATCH_SIZE,
):  # fmt: skip
    """Dreams of galaxies.

    Parameters
    ----------
    network : keras.Model
        Functional or Sequential.
    layer : str
        Whose norm climbs.
    inputs : ndarray or dict of ndarray
    sky_sigma : array_like, shape (n_bands,)
        [image unit]
    filters : sequence of int, optional
        Maps of the layer that count; by default all.
    n_octaves : int
        Number of sizes.
    octave_scale : float
        Ratio of one to the next.
    n_steps : int
        At each size.
    step : float
        Mean change of a pixel in one step [sigma of the sky].
    blur_sigma : float
        Width of a Gaussian by which each step is blurred [pixel].
    objects : ndarray of int, shape (n,), optional
        Identifiers, on which the shifts depend; by default 0, 1 ...
    seed : int
    image : str
        Name of the image among the inputs.
    batch_size : int

    Returns
    -------
    Dream

    Raises
    ------
    ValueError
        If there is no such layer, or a number is out of range.
    """
    given = named(inputs)
    name = image if image in given else next(iter(given))
    galaxies, sky_sigma = np.asarray(given[name], np.float64), np.asarray(sky_sigma, np.float64)
    if galaxies.ndim != 4 or sky_sigma.shape != galaxies.shape[-1:] or not (sky_sigma > 0).all():
        raise ValueError(
            f"sky_sigma is {sky_sigma.tolist()} for images of shape {galaxies.shape}; give a positive value a band"
        )
    if n_octaves < 1 or n_steps < 1 or not octave_scale >= 1 or not step > 0 or not blur_sigma >= 0:
        raise ValueError(
            f"n_octaves is {n_octaves}, n_steps {n_steps}, octave_scale {octave_scale}, step {step}, blur_sigma "
            f"{blur_sigma}; they must be at least 1, 1, 1, positive, and 0"
        )
    score = Score(up_to_layer(network, layer), layer_norm(filters), batch_size)
    objects = np.arange(len(galaxies)) if objects is None else np.asarray(objects)
    shifts_of = streams(objects, seed, "dream")
    side, norms, detail = galaxies.shape[1:3], [], np.zeros_like(galaxies)

    def value_and_slope(images):
        """Norm, shape (n,), and its slope per sigma of the sky, over all windows of the images."""
        corners, n = _corners(images.shape[1:3], side), len(images)
        windows = np.concatenate([images[:, y : y + side[0], x : x + side[1]] for y, x in corners])
        rows = {key: np.concatenate([values] * len(corners)) for key, values in given.items() if key != name}
        shown = {key: windows.astype(np.float32) if key == name else rows[key] for key in given}
        values, gradient = score.value_and_gradient(unnamed(shown, inputs))
        slope = np.zeros_like(images)
        for number, (y, x) in enumerate(corners):
            slope[:, y : y + side[0], x : x + side[1]] += named(gradient)[name][number * n : (number + 1) * n]
        return np.sqrt(2 * values).reshape(len(corners), n).mean(axis=0), slope * sky_sigma

    for octave in range(n_octaves):
        size = [round(length * octave_scale**octave) for length in side]
        base, detail = _enlarged(galaxies, size), _enlarged(detail, size)
        before, _ = value_and_slope(base + detail * sky_sigma)
        for _ in range(n_steps):
            shifts = np.stack([rng.integers(0, size) for rng in shifts_of])
            _, slope = value_and_slope(rolled(base + detail * sky_sigma, shifts))
            slope = blurred(rolled(slope, -shifts), blur_sigma)
            scale = np.abs(slope).mean(axis=(1, 2, 3), keepdims=True)
            detail = detail + step * np.divide(slope, scale, out=np.zeros_like(slope), where=scale > 0)
        images = base + detail * sky_sigma
        norms.append((before, value_and_slope(images)[0]))
    return Dream(images.astype(np.float32), detail.astype(np.float32), np.array(norms))


def _enlarged(images, size):
    """Images of another size, interpolated between pixel centres; pixels keep their surface brightness."""
    if images.shape[1:3] == tuple(size):
        return images
    factors = (1, size[0] / images.shape[1], size[1] / images.shape[2], 1)
    return zoom(images, factors, order=1, mode="nearest", grid_mode=True)


def _corners(size, side):
    """Upper left corners of the fewest windows that cover an image, evenly spread."""
    starts = [np.linspace(0, length - window, -(-length // window)).astype(int) for length, window in zip(size, side)]
    return [(y, x) for y in starts[0] for x in starts[1]]
