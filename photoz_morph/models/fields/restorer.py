"""A U-Net from an observed periodic field to the field behind it: without noise, beam and holes.

The observation has a second map that tells where it is seen. Fields are periodic, so they are continued beyond their
edges before the U-Net, and what it gives is cut back.
"""

import keras
from keras import layers, ops

from photoz_morph.models.fields.circular_padding import CircularPadding
from photoz_morph.models.layers.blocks import layer_seeds
from photoz_morph.models.unet import check_size, feature_maps


@keras.saving.register_keras_serializable("photoz_morph")
class StandardisedField(keras.layers.Layer):
    """(pixel - offset) / deviation of the first map, 0 where it is not seen; a second map says where it is.

    Parameters
    ----------
    offset, deviation : float
        Mean and standard deviation of the pixels that are seen.
    name : str
    """

    def __init__(self, offset=0.0, deviation=1.0, name="standardised", dtype="float32", **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)
        if not deviation > 0:
            raise ValueError(f"deviation is {deviation}; give that of the pixels, above 0")
        self.offset, self.deviation = float(offset), float(deviation)

    def call(self, maps):
        field, seen = maps[..., :1], maps[..., 1:]
        where = seen if maps.shape[-1] > 1 else 1.0
        return ops.concatenate([(field - self.offset * where) / self.deviation, seen], axis=-1)

    def compute_output_spec(self, maps):
        return keras.KerasTensor(maps.shape, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "offset": self.offset, "deviation": self.deviation}


def field_unet(
    image_shape=(64, 64, 2), width=16, depth=3, upsampling="transposed", offset=0.0, deviation=1.0, seed=0
):  # fmt: skip
    """Field behind an observation.

    Parameters
    ----------
    image_shape : tuple of int
        Rows, columns, maps: the observed field, 0 where it is not seen, and where it is seen; or the field alone. Rows
        and columns may be None, for fields of any size.
    width, depth, upsampling
        As of `unet`.
    offset, deviation : float
        Mean and standard deviation of the pixels of the true training fields.
    seed : int
        Of the weights.

    Returns
    -------
    keras.Model
        {"image"} to {"field": (n, rows, columns, 1)}, float32, in the unit of the training fields.

    Raises
    ------
    ValueError
        If 2**depth does not divide the field, or `deviation` is not positive.
    """
    check_size(image_shape[:2], depth)
    seeds, around = layer_seeds(seed), 2**depth
    image = keras.Input(image_shape, name="image")
    maps = StandardisedField(offset, deviation)(image)
    maps = CircularPadding(around, name="around")(maps)
    maps = layers.Cropping2D(around, name="inside")(feature_maps(maps, width, depth, upsampling, seeds))
    weights = keras.initializers.GlorotUniform(seed=next(seeds))
    raw = layers.Conv2D(1, 1, kernel_initializer=weights, dtype="float32", name="raw")(maps)
    field = layers.Rescaling(deviation, offset, dtype="float32", name="field")(raw)
    return keras.Model({"image": image}, {"field": field}, name="field_unet")
