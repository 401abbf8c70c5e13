"""Losses of heat maps, of distances known at some pixels, and of offsets of boxes; each has one value for an image."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("photoz_morph")
class HeatMapLoss(keras.losses.Loss):
    """Focal loss of a heat map of centres against logits.

    Parameters
    ----------
    alpha, beta : float
        Of the equation.
    name : str

    Notes
    -----
    Zhou et al. (2019), Eq. 1: the sum over pixels of (1 - p)^alpha ln p at the centres, where Y is 1, and of
    (1 - Y)^beta p^alpha ln(1 - p) elsewhere, over minus the number of centres of the image, at least 1.
    """

    def __init__(self, alpha=2.0, beta=4.0, name="heat_map_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.alpha, self.beta = alpha, beta

    def call(self, y_true, y_pred):
        """Loss of each image, shape (n,), of heat and logits of shape (n, rows, columns, n_classes)."""
        probability = ops.sigmoid(y_pred)
        at_centre = (1 - probability) ** self.alpha * ops.log_sigmoid(y_pred)
        elsewhere = (1 - y_true) ** self.beta * probability**self.alpha * ops.log_sigmoid(-y_pred)
        is_centre = y_true == 1
        total = ops.sum(ops.where(is_centre, at_centre, elsewhere), axis=(1, 2, 3))
        n_centres = ops.sum(ops.cast(is_centre, total.dtype), axis=(1, 2, 3))
        return -total / ops.maximum(n_centres, 1.0)

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta}


@keras.saving.register_keras_serializable("photoz_morph")
class KnownPixelsLoss(keras.losses.Loss):
    """Absolute error at the pixels where the truth is known, that is not NaN; 0 for an image without any.

    Parameters
    ----------
    name : str

    Notes
    -----
    Zhou et al. (2019), Eq. 3: summed over channels, the mean over the known pixels of an image.
    """

    def __init__(self, name="known_pixels_loss", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Loss of each image, shape (n,), of maps of shape (n, rows, columns, n_channels)."""
        is_known = ops.logical_not(ops.any(ops.isnan(y_true), axis=-1, keepdims=True))
        error = ops.where(is_known, ops.abs(ops.where(is_known, y_true, 0.0) - y_pred), 0.0)
        n_known = ops.sum(ops.cast(is_known, error.dtype), axis=(1, 2, 3))
        return ops.sum(error, axis=(1, 2, 3)) / ops.maximum(n_known, 1.0)


def smooth_l1(error, beta=1.0):
    """Huber's loss in units where it is linear with slope 1: e^2 / (2 beta) below beta (Girshick 2015, Eq. 3)."""
    size = ops.abs(error)
    return ops.where(size < beta, ops.square(size) / (2 * beta), size - beta / 2)
