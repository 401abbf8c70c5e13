"""Padding of periodic maps: what leaves at one side comes in at the other."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("photoz_morph")
class CircularPadding(keras.layers.Layer):
    """Maps with `size` rows and columns of the opposite side added at each side.

    A convolution that is not padded itself then treats all pixels of a periodic field alike.

    Parameters
    ----------
    size : int
        At most the sides of the maps [pixel].
    name : str, optional
    """

    def __init__(self, size=1, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        if size < 1:
            raise ValueError(f"size is {size}; give 1 pixel or more")
        self.size = size

    def call(self, maps):
        for axis in (1, 2):
            if maps.shape[axis] is not None and maps.shape[axis] < self.size:
                raise ValueError(f"maps of {maps.shape[1]} x {maps.shape[2]} pixels cannot be padded by {self.size}")
        maps = ops.concatenate([maps[:, -self.size :], maps, maps[:, : self.size]], axis=1)
        return ops.concatenate([maps[:, :, -self.size :], maps, maps[:, :, : self.size]], axis=2)

    def compute_output_spec(self, maps):
        n, rows, columns, n_maps = maps.shape
        sides = (side and side + 2 * self.size for side in (rows, columns))
        return keras.KerasTensor((n, *sides, n_maps), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "size": self.size}
