import keras
import numpy as np
import pytest

from photoz_morph.models.detection.losses import HeatMapLoss, KnownPixelsLoss
from photoz_morph.models.detection.peaks import edge_distances, heat_map, peaks_to_detections
from photoz_morph.models.layers.image_scaling import ArcsinhScaling
from photoz_morph.models.loading import load_network
from photoz_morph.models.pixel_losses import ArcsinhError, PixelCrossEntropy
from photoz_morph.models.unet import UPSAMPLINGS, unet
from tests.support.scenes import classes_of_pixels, found_fraction, gaussian_field

HEADS = {"semantic": (3, "logits"), "centre": (2, "heat"), "edges": (4, "distances"), "deblended": (1, "image")}


def small(upsampling="transposed", image_shape=(None, None, 1), **options):
    return unet(image_shape, HEADS, width=4, depth=2, upsampling=upsampling, seed=1, **options)


def matrix(layer, shape):
    """Matrix of a linear layer, of which the columns are its answers to images of one pixel."""
    units = np.eye(np.prod(shape), dtype=np.float32).reshape(-1, *shape)
    return np.array(layer(units)).reshape(len(units), -1).T


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 1), (3, 2)])
def test_a_transposed_convolution_is_the_transposed_matrix_of_its_convolution(kernel, stride):
    """Dumoulin & Visin (2016), Sec. 4: of one kernel, with inputs and outputs exchanged."""
    n_out = 4
    side = (n_out - 1) * stride + kernel
    down = keras.layers.Conv2D(3, kernel, stride, use_bias=False)
    up = keras.layers.Conv2DTranspose(2, kernel, stride, use_bias=False)
    of_convolution = matrix(down, (side, side, 2))
    up.build((None, n_out, n_out, 3))
    up.kernel.assign(down.kernel)
    np.testing.assert_allclose(matrix(up, (n_out, n_out, 3)), of_convolution.T, atol=1e-6)


def test_the_upsampling_of_the_network_is_the_transpose_of_a_halving_convolution():
    up = small().get_layer("up1")
    down = keras.layers.Conv2D(up.kernel.shape[-1], 2, 2, use_bias=False)
    down.build((None, 8, 8, up.kernel.shape[2]))
    down.kernel.assign(up.kernel)
    np.testing.assert_allclose(matrix(up, (4, 4, 8)), matrix(down, (8, 8, 4)).T, atol=1e-6)


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_outputs_have_the_size_of_any_image_that_can_be_halved(upsampling):
    network = small(upsampling)
    for rows, columns in ((8, 8), (12, 20)):
        outputs = network({"image": np.zeros((2, rows, columns, 1), np.float32)})
        assert {name: value.shape for name, value in outputs.items()} == {
            name: (2, rows, columns, n_channels) for name, (n_channels, _) in HEADS.items()
        }


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_a_field_has_the_outputs_of_its_parts_away_from_their_edges(upsampling):
    network = small(upsampling)
    field = gaussian_field(1, side=96)["image"]
    whole = network({"image": field})["centre"]
    part = network({"image": field[:, 16:80, 8:72]})["centre"]
    # Ten convolutions see 2 (1 + 2 + 4) + 4 + 2 = 20 pixels, and pools 3 more.
    np.testing.assert_allclose(part[:, 24:-24, 24:-24], whole[:, 40:56, 32:48], atol=1e-5)


def test_levels_and_weights_are_those_of_the_paper():
    """Ronneberger et al. (2015), Fig. 1, with one band and two classes; beta stands for the biases of convolutions."""
    network = unet((64, 64, 1), {"segmentation": (2, "logits")}, width=64, depth=4)
    sides = [1, 64, 128, 256, 512, 1024]
    encoder = sum(9 * a * b + b + 9 * b * b + b for a, b in zip(sides, sides[1:]))
    decoder = sum(4 * b * a + a + 9 * b * a + a + 9 * a * a + a for a, b in zip(sides[1:], sides[2:]))
    weights = [weight for weight in network.trainable_weights if weight.name != "gamma"]
    assert sum(np.prod(weight.shape) for weight in weights) == encoder + decoder + 2 * 64 + 2 == 31_030_658


def test_heat_starts_at_its_prior_and_distances_are_positive():
    outputs = small()({"image": np.zeros((1, 8, 8, 1), np.float32)})
    np.testing.assert_allclose(keras.ops.sigmoid(outputs["centre"]), 0.1, rtol=1e-5)
    assert np.all(np.array(outputs["edges"]) > 0)


def test_an_image_head_is_in_the_unit_of_the_image():
    """With the weights of its head at zero but for the bias, the output is the inverse of the scaling at the bias."""
    scaling = ArcsinhScaling(softness=2.0)
    scaling.set_quantiles([-1.0, 8.0])
    network = small(scaling=scaling)
    head = network.get_layer("deblended")
    head.kernel.assign(np.zeros(head.kernel.shape))
    head.bias.assign([1.5])
    output = np.array(network({"image": np.ones((1, 8, 8, 1), np.float32)})["deblended"])
    np.testing.assert_allclose(output, 8.0 / 2.0 * np.sinh(1.5), rtol=1e-5)


def test_wrong_choices_are_named():
    with pytest.raises(ValueError, match="images have 20 x 24 pixels, .* depth 4 .* multiple of 16"):
        unet((20, 24, 3))
    with pytest.raises(ValueError, match="model.upsampling is 'bilinear', must be one of transposed, unpooling"):
        unet((16, 16, 3), upsampling="bilinear")
    with pytest.raises(ValueError, match="head 'centre' is of kind 'peak', must be one of logits, heat"):
        unet((16, 16, 3), {"centre": (1, "peak")})


def test_a_small_network_learns_classes_centres_boxes_and_images(tmp_path):
    train, test = gaussian_field(480, seed=1), gaussian_field(16, seed=2)
    scaling = ArcsinhScaling()
    scaling.set_quantiles([0.0, 1.0])
    network = unet((32, 32, 1), HEADS, width=8, depth=2, seed=1, scaling=scaling)
    losses = {"semantic": PixelCrossEntropy((0.5, 1, 1)), "centre": HeatMapLoss(), "edges": KnownPixelsLoss(),
              "deblended": ArcsinhError(0.5)}  # fmt: skip
    weights = {"semantic": 1, "centre": 1, "edges": 0.1, "deblended": 1}
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, 240)
    network.compile(keras.optimizers.Adam(schedule), losses, loss_weights=weights, jit_compile=False)
    network.optimizer.build(network.trainable_variables)  # otherwise the step is traced twice
    light = test["each"].sum(axis=1)[..., None]
    targets = {
        "semantic": classes_of_pixels(train),
        "centre": heat_map(train["centres"], train["boxes"], train["classes"], (32, 32), 2),
        "edges": edge_distances(train["centres"], train["boxes"], train["classes"] > 0, (32, 32)),
        "deblended": train["each"].sum(axis=1)[..., None],
    }
    network.fit({"image": train["image"]}, targets, batch_size=8, epochs=4, verbose=0)
    outputs = network.predict({"image": test["image"]}, verbose=0)
    assert np.mean(outputs["semantic"].argmax(axis=-1) == classes_of_pixels(test)) > 0.91  # 0.86 are sky
    detections = peaks_to_detections(keras.ops.sigmoid(outputs["centre"]), outputs["edges"], 10)
    completeness, purity = found_fraction(detections, test, min_score=0.3)
    assert completeness > 0.5 and purity > 0.5, (completeness, purity)
    error, of_none = (np.mean(ArcsinhError(0.5)(light, image)) for image in (outputs["deblended"], 0 * light))
    assert error < 0.6 * of_none
    network.save(tmp_path / "network.keras")
    restored = load_network(tmp_path / "network.keras", compile=True)
    for name, values in restored.predict({"image": test["image"]}, verbose=0).items():
        np.testing.assert_array_equal(values, outputs[name])
    assert int(restored.optimizer.iterations) == 240


def test_a_network_with_unpooling_learns_the_classes_of_pixels():
    train, test = gaussian_field(48, seed=1), gaussian_field(16, seed=2)
    network = unet((32, 32, 1), {"semantic": (3, "logits")}, width=8, depth=2, upsampling="unpooling", seed=1)
    network.compile(keras.optimizers.Adam(1e-2), PixelCrossEntropy(), jit_compile=False)
    targets = {"semantic": classes_of_pixels(train)}
    network.fit({"image": train["image"]}, targets, batch_size=8, epochs=20, verbose=0)
    classes = network.predict({"image": test["image"]}, verbose=0)["semantic"].argmax(axis=-1)
    assert np.mean(classes == classes_of_pixels(test)) > 0.93
