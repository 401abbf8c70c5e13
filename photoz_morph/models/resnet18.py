"""The ResNet18 of DeepAdversaries (Ciprijanovic et al. 2021, arXiv 2111.00961; code AleksCipri/DeepAdversaries).

torchvision's ResNet18 from random weights, with dropout on the last feature map and a linear bottleneck of 256, the
latent space used by adaptation and attacks. `resnet18` with its defaults has 11,308,611 trainable parameters;
`width` makes narrower members of the family.
"""

import keras
from keras import layers

from photoz_morph.models.layers.blocks import batch_norm, convolution, image_input, layer_seeds, linear_head


def resnet18(
    image_shape=(100, 100, 3), n_classes=3, n_latent=256, width=64, dropout=0.5, seed=0, scaling=None
):
    """ResNet18 classifier.

    Parameters
    ----------
    image_shape : tuple of int
        Rows, columns, bands.
    n_classes : int
    n_latent : int
        Size of the linear bottleneck, whose output is `latent`.
    width : int
        Filters of the first convolution and stage; each further stage doubles them.
    dropout : float
        Fraction of the last feature map that is dropped in training.
    seed : int
        Of weights and dropout.
    scaling : ArcsinhScaling, optional
        First layer of the network.

    Returns
    -------
    keras.Model
        {"image"} or {"image", "domain"} to {"logits", "latent"}.

    Notes
    -----
    Maps of a 100 x 100 image have 50, 25, 25, 13, 7 and 4 pixels a side. Weights are He normal (fan out), those of the
    bottleneck N(0, 0.005) and of the output N(0, 0.01), as in the authors' code.
    """
    seeds = layer_seeds(seed)
    inputs, pixels = image_input(image_shape, scaling)
    maps = convolution(pixels, width, 7, next(seeds), "conv1", stride=2)
    maps = layers.ReLU(name="relu1")(batch_norm(maps, "bn1"))
    maps = layers.ZeroPadding2D(1, name="pool1_pad")(maps)  # after a ReLU zeros pad a maximum like minus infinity
    maps = layers.MaxPooling2D(3, 2, name="pool1")(maps)
    for stage in range(4):
        for block in range(2):
            stride = 2 if stage and not block else 1
            maps = _basic_block(maps, width * 2**stage, stride, seeds, f"stage{stage + 1}_block{block + 1}")
    maps = layers.Dropout(dropout, seed=next(seeds), name="dropout")(maps)
    features = layers.GlobalAveragePooling2D(name="average_pool")(maps)
    return keras.Model(inputs, linear_head(features, n_latent, n_classes, seeds), name="resnet18")


def _basic_block(maps, filters, stride, seeds, name):
    """Two 3x3 convolutions beside a shortcut, which is a 1x1 convolution where the shape changes."""
    shortcut = maps
    if stride > 1 or maps.shape[-1] != filters:
        shortcut = convolution(maps, filters, 1, next(seeds), f"{name}_shortcut_conv", stride)
        shortcut = batch_norm(shortcut, f"{name}_shortcut_bn")
    maps = convolution(maps, filters, 3, next(seeds), f"{name}_conv1", stride)
    maps = layers.ReLU(name=f"{name}_relu1")(batch_norm(maps, f"{name}_bn1"))
    maps = convolution(maps, filters, 3, next(seeds), f"{name}_conv2")
    maps = batch_norm(maps, f"{name}_bn2")
    return layers.ReLU(name=f"{name}_relu2")(layers.Add(name=f"{name}_add")([maps, shortcut]))
