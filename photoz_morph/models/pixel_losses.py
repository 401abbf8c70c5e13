"""Losses of images against images: classes of pixels, and fluxes in the scale in which networks see them."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("photoz_morph")
class PixelCrossEntropy(keras.losses.Loss):
    """Cross-entropy of the classes of pixels, the mean over those of an image.

    Parameters
    ----------
    class_weights : sequence of float, optional
        Factor of each class; the mean is over pixels, not over weights.
    name : str
    """

    def __init__(self, class_weights=None, name="pixel_cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.class_weights = None if class_weights is None else tuple(class_weights)

    def call(self, y_true, y_pred):
        """Loss of each image, shape (n,), of classes (n, rows, columns) and logits (n, rows, columns, n_classes)."""
        each = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        if self.class_weights:
            weights = ops.convert_to_tensor(self.class_weights, each.dtype)
            each = each * ops.take(weights, ops.cast(y_true, "int32"))
        return ops.mean(each, axis=(1, 2))

    def get_config(self):
        return {**super().get_config(), "class_weights": self.class_weights}


@keras.saving.register_keras_serializable("photoz_morph")
class ArcsinhError(keras.losses.Loss):
    """Absolute difference of the arcsinh of fluxes, the mean over pixels and bands.

    Parameters
    ----------
    unit : float
        Flux per pixel below which the difference is absolute, and above which it is relative; a few sigma of the sky
        [image unit].
    name : str
    """

    def __init__(self, unit=1.0, name="arcsinh_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.unit = unit

    def call(self, y_true, y_pred):
        """Loss of each image, shape (n,), of images of shape (n, rows, columns, n_bands)."""
        error = ops.arcsinh(y_pred / self.unit) - ops.arcsinh(y_true / self.unit)
        return ops.mean(ops.abs(error), axis=(1, 2, 3))

    def get_config(self):
        return {**super().get_config(), "unit": self.unit}
