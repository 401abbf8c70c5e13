import keras
import numpy as np
import pytest
from keras import layers

from photoz_morph.explain.gradients import Score
from photoz_morph.explain.patterns.layer_outputs import unit, up_to_layer
from photoz_morph.explain.patterns.receptive_field import Span, cut_out, receptive_field
from tests.support.explain_layers import network_of


def seen(network, layer, inputs, position):
    """Rows and columns of the pixels on which a unit depends, by its gradient in a network of positive weights."""
    part = up_to_layer(network, layer)
    for variable in part.weights:
        if variable.trainable:
            variable.assign(np.abs(variable) + 0.1)
    filters = [3 if layer.startswith("Co") else 0]  # behind the 1x1 branch of a block comes that of the widest kernel
    gradient = Score(part, unit([position], filters)).value_and_gradient(inputs)[1]
    pixels = gradient["image"] if isinstance(gradient, dict) else gradient
    rows, columns, _ = np.nonzero(pixels[0])
    return (rows.min(), rows.max() + 1), (columns.min(), columns.max() + 1)


CASES = [
    ("inception", "C1", (5, 7)), ("inception", "P1", (2, 3)), ("inception", "Co1", (2, 1)),
    ("inception", "Co2", (1, 1)),
    ("inception of photometry", "C1", (4, 4)), ("inception with batch norm and max pooling", "B1_C1", (3, 6)),
    ("convnet", "conv2", (3, 4)), ("deepmerge", "pool2", (5, 6)), ("resnet18", "conv1", (4, 5)),
]  # fmt: skip


@pytest.mark.parametrize("name, layer, position", CASES)
def test_a_unit_depends_on_the_pixels_of_its_receptive_field(name, layer, position):
    network, _, inputs, _ = network_of(name)
    # Positive pixels and average pools: no unit is switched off, and each pixel of a window counts.
    network = averaged(network)
    inputs = {key: np.abs(values[:1]) + (key == "image") for key, values in inputs.items()}
    spans = receptive_field(network, layer)
    side = inputs["image"].shape[1]
    crop = 12 if name.startswith("inception") else 75 if name == "deepmerge" else side  # zeros pad what is cut
    low = (side - crop) // 2
    expected = []
    for span, index in zip(spans, position):
        first, last = span.of_unit(index)
        expected.append((max(first, low), min(last, low + crop)))
    assert seen(network, layer, inputs, position) == tuple(expected)


def averaged(network):
    """The network with average instead of max pooling and no clipping of pixels."""

    def cloned(layer):
        if isinstance(layer, layers.MaxPooling2D):
            return layers.AveragePooling2D.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=cloned)
    copy.set_weights(network.get_weights())
    return copy


def test_fields_of_the_published_network_and_of_a_dilated_convolution():
    network, *_ = network_of("inception")
    assert receptive_field(network, "flatten") == (Span(0, 64, 0), Span(0, 64, 0))
    image = keras.Input((20, 30, 1))
    maps = layers.Conv2D(1, 3, dilation_rate=(2, 1), name="dilated")(image)
    maps = layers.Conv2D(1, (1, 4), strides=(1, 2), padding="same", name="wide")(layers.ZeroPadding2D((0, 1))(maps))
    # Columns: 3 pixels, then 4 units; the padding is 1, and (15 - 1) 2 + 4 - 30 = 2 of "same", half of it in front.
    assert receptive_field(keras.Model(image, maps), "wide") == (Span(0, 5, 1), Span(-2, 6, 2))


def test_what_has_no_receptive_field_is_refused():
    network, *_ = network_of("inception")
    with pytest.raises(ValueError, match="layer 'ebv_column' sees no pixel"):
        receptive_field(network, "ebv_column")
    with pytest.raises(ValueError, match="no layer 'C99'"):
        receptive_field(network, "C99")
    image, twice = keras.Input((8, 8, 1)), layers.Conv2D(1, 3, name="twice")
    with pytest.raises(ValueError, match="'last' is behind one that is called more than once"):
        receptive_field(keras.Model(image, layers.ReLU(name="last")(twice(twice(image)))), "last")
    x = keras.Input((4,))
    with pytest.raises(ValueError, match="has 0 inputs with pixels"):
        receptive_field(keras.Model(x, layers.Dense(2)(x)), "dense")
    image = keras.Input((8, 8, 1))
    coarse = layers.UpSampling2D(2)(layers.AveragePooling2D(2)(image))
    both = layers.Concatenate(name="both")([layers.Conv2D(1, 3, 2, "same")(image), layers.Conv2D(1, 5)(image)])
    with pytest.raises(ValueError, match="'both' joins maps of several pixel sizes"):
        receptive_field(keras.Model(image, both), "both")
    assert receptive_field(keras.Model(image, layers.Conv2D(1, 1, name="last")(coarse)), "last")[0].step == 0


def test_patches_are_cut_at_their_places_and_nan_beyond_the_edge():
    images = np.arange(2 * 4 * 5).reshape(2, 4, 5, 1)
    spans = Span(-1, 3, 1), Span(-1, 3, 2)
    found = cut_out(images, spans, np.array([[1, 1], [0, 2]]))
    np.testing.assert_array_equal(found[0, ..., 0], images[0, 0:3, 1:4, 0])
    np.testing.assert_array_equal(found[1, ..., 0], [[np.nan] * 3, [23, 24, np.nan], [28, 29, np.nan]])
