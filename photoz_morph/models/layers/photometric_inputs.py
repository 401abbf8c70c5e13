"""Photometric inputs of a small network: dereddened pixels, colour maps, aperture fluxes; or compressed raw pixels.

The layers hold facts of the survey (noise, extinction per E(B-V)), so these are saved with the exported model. With few
training galaxies they dominate the score. They compute in float32: a colour in bfloat16 has two digits.
"""

import keras
import numpy as np
from keras import ops

from photoz_morph.models.layers.arcsinh import arcsinh

__all__ = [
    "ApertureFluxes", "AsinhCompression", "Deredden", "PixelScales", "SelectBands", "Standardization", "Whitening",
]  # fmt: skip


class AsinhCompression(keras.layers.Layer):
    """Pixels of a smaller dynamic range: asinh(x / 2 b), linear in the noise and logarithmic in bright cores.

    Parameters
    ----------
    softening : sequence of float
        b of each band [image unit].

    Notes
    -----
    The scale of asinh magnitudes (Lupton, Gunn & Szalay 1999, Eq. 3). Pasquet et al. (2019) compressed the
    pixels, too, without gain.
    """

    def __init__(self, softening, **kwargs):
        super().__init__(**kwargs)
        self.softening = tuple(softening)

    def call(self, image):
        return arcsinh(image / (2 * ops.convert_to_tensor(self.softening, image.dtype)))

    def get_config(self):
        return {**super().get_config(), "softening": self.softening}


class Deredden(keras.layers.Layer):
    """Undo Galactic extinction: pixels times 10^(0.4 R_band E(B-V)).

    Parameters
    ----------
    extinction_per_ebv : sequence of float
        R_band = A_band / E(B-V), one per band [mag / mag].
    """

    def __init__(self, extinction_per_ebv, **kwargs):
        super().__init__(**kwargs)
        self.extinction_per_ebv = tuple(extinction_per_ebv)

    def call(self, inputs):
        image, ebv = inputs
        magnitudes = ops.reshape(ebv, (-1, 1, 1, 1)) * ops.convert_to_tensor(self.extinction_per_ebv, "float32")
        return image * ops.exp(0.4 * np.log(10) * magnitudes)

    def get_config(self):
        return {**super().get_config(), "extinction_per_ebv": self.extinction_per_ebv}


class PixelScales(keras.layers.Layer):
    """Pixels on a linear and an asinh scale, and colour maps: 2 n_bands channels.

    The channels are x / (20 sigma) of each band (bright cores keep their contrast), asinh(x / 2 sigma) of the middle
    band (faint outskirts) and twice the differences of asinh(x / 2 sigma) between neighbouring bands.

    Parameters
    ----------
    sky_sigma : sequence of float
        Background noise of a pixel in one exposure, one per band [image unit].
    """

    def __init__(self, sky_sigma, **kwargs):
        super().__init__(**kwargs)
        self.sky_sigma = tuple(sky_sigma)

    def call(self, image):
        image = image / ops.convert_to_tensor(self.sky_sigma, image.dtype)
        faint = arcsinh(image / 2)
        middle = len(self.sky_sigma) // 2
        colours = 2 * (faint[..., :-1] - faint[..., 1:])
        return ops.concatenate([image / 20, faint[..., middle : middle + 1], colours], axis=-1)

    def get_config(self):
        return {**super().get_config(), "sky_sigma": self.sky_sigma}


class SelectBands(keras.layers.Layer):
    """Some bands of an image, in the given order.

    Parameters
    ----------
    indices : sequence of int
        On the last axis, from 0.
    """

    def __init__(self, indices, **kwargs):
        super().__init__(**kwargs)
        self.indices = tuple(indices)

    def call(self, image):
        return ops.stack([image[..., index] for index in self.indices], axis=-1)

    def get_config(self):
        return {**super().get_config(), "indices": self.indices}


class ApertureFluxes(keras.layers.Layer):
    """Asinh fluxes in circular apertures about the stamp's centre: n_bands values per radius.

    Parameters
    ----------
    sky_sigma : sequence of float
        Background noise of a pixel in one exposure, one per band [image unit]; an aperture's flux is divided by
        twice its noise before the asinh, so a flux below the noise stays finite.
    radii : sequence of float
        Aperture radii [pixel].
    """

    def __init__(self, sky_sigma, radii=(2.5, 5.0, 9.0, 15.0), **kwargs):
        super().__init__(**kwargs)
        self.sky_sigma, self.radii = tuple(sky_sigma), tuple(radii)

    def build(self, input_shape):
        rows, columns = np.indices(input_shape[1:3])
        distance = np.hypot(rows - (input_shape[1] - 1) / 2, columns - (input_shape[2] - 1) / 2)
        masks = np.stack([distance <= radius for radius in self.radii], axis=-1).reshape(-1, len(self.radii))
        self.masks = masks.astype("float32")
        self.noise = (np.sqrt(masks.sum(axis=0))[:, None] * np.asarray(self.sky_sigma)).astype("float32")

    def call(self, image):
        _, rows, columns, n_bands = image.shape
        pixels = ops.transpose(ops.reshape(image, (-1, rows * columns, n_bands)), (0, 2, 1))
        flux = ops.transpose(ops.matmul(pixels, self.masks), (0, 2, 1))
        return ops.reshape(arcsinh(flux / (2 * self.noise)), (-1, len(self.radii) * n_bands))

    def get_config(self):
        return {**super().get_config(), "sky_sigma": self.sky_sigma, "radii": self.radii}


class Standardization(keras.layers.Layer):
    """Values less their mean, over their standard deviation; `adapt` measures both on the training set once.

    Keras's own Normalization holds them as tensors, which an ONNX file would ask for as inputs.
    """

    def build(self, input_shape):
        self.mean, self.deviation = (
            self.add_weight(shape=(input_shape[-1],), initializer=initial, trainable=False, name=name)
            for name, initial in (("mean", "zeros"), ("deviation", "ones"))
        )

    def adapt(self, values):
        """Measure mean and standard deviation; what does not vary is left with its scale.

        Parameters
        ----------
        values : ndarray, shape (n, n_values)
        """
        values = np.asarray(values, np.float64)
        deviation = values.std(axis=0)
        self.mean.assign(values.mean(axis=0))
        self.deviation.assign(np.where(deviation > keras.config.epsilon(), deviation, 1.0))

    def call(self, values):
        return (values - self.mean) / self.deviation


class Whitening(keras.layers.Layer):
    """Principal components with unit variance; `adapt` measures them on the training set once.

    Aperture fluxes of one galaxy are almost proportional, so the colours are in components with a thousandth of the
    total variance; whitening brings these to the scale of the others.
    """

    variance_floor = 3e-4  # components below it are noise and stay small; our choice

    def build(self, input_shape):
        n_values = input_shape[-1]
        self.mean = self.add_weight(shape=(n_values,), initializer="zeros", trainable=False, name="mean")
        self.matrix = self.add_weight(
            shape=(n_values, n_values), initializer="identity", trainable=False, name="matrix"
        )

    def adapt(self, values):
        """Measure mean and components.

        Parameters
        ----------
        values : ndarray, shape (n, n_values)
        """
        values = np.asarray(values, np.float64)
        variance, components = np.linalg.eigh(np.cov(values, rowvar=False))
        scale = 1 / np.sqrt(np.maximum(variance, 0) + self.variance_floor)
        self.mean.assign(values.mean(axis=0))
        self.matrix.assign(components * scale)

    def call(self, values):
        return ops.matmul(values - self.mean, self.matrix)


def adapt_to_training_set(model, batches):
    """Adapt the data-dependent layers of a network to the training set; a network without any is left unchanged.

    Parameters
    ----------
    model : keras.Model
    batches : iterable
        Network inputs, {"image", "ebv"}, of some training galaxies.
    """
    waiting = [layer for layer in model.layers if hasattr(layer, "adapt")]
    while waiting:  # an input of one may come from another, which comes first; those that can, share a pass
        before = [keras.Model(model.inputs, layer.input).layers for layer in waiting]
        ready = [layer for layer, path in zip(waiting, before) if not any(other in path for other in waiting)]
        measured = keras.Model(model.inputs, {layer.name: layer.input for layer in ready})
        parts = [{name: ops.convert_to_numpy(part) for name, part in measured(batch).items()} for batch in batches]
        for layer in ready:
            layer.adapt(np.concatenate([part[layer.name] for part in parts]))
        waiting = [layer for layer in waiting if layer not in ready]
