"""Any Keras classifier as one that adaptation can train: images in, logits and latents out."""

import keras


def with_latent(network, latent="latent"):
    """Classifier of the layers of a network, which also returns the output of one of them.

    Parameters
    ----------
    network : keras.Model
        Functional or Sequential, of one image tensor to logits, or to probabilities by a softmax at its end; built.
    latent : str
        Name of the layer whose output, flattened, is the latent space.

    Returns
    -------
    keras.Model
        {"image"} to {"logits", "latent"}. Its layers are those of the network, so that training it trains the network.

    Raises
    ------
    ValueError
        If the network is not built of layers on one input, its output is not one row of classes an image, or there is
        no such layer.
    """
    try:
        (image,), (output,) = network.inputs, network.outputs
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"network {network.name!r} has not one known input and output; make it a functional or Sequential model "
            "with one keras.Input and one output"
        ) from error
    if len(output.shape) != 2 or output.shape[-1] < 2:
        raise ValueError(f"network {network.name!r} has outputs of shape {output.shape}, must be (n, n_classes >= 2)")
    names = [layer.name for layer in network.layers]
    if latent not in names:
        raise ValueError(f"network {network.name!r} has no layer {latent!r}; it has {', '.join(names)}")
    parts = keras.Model(image, [network.get_layer(latent).output, output], name=network.name)
    inputs = {"image": keras.Input(image.shape[1:], dtype=image.dtype, name="image")}
    features, logits = parts(inputs["image"])
    if len(features.shape) > 2:
        features = keras.layers.Flatten(name="flattened_latent")(features)
    if getattr(network.layers[-1], "activation", None) is keras.activations.softmax or isinstance(
        network.layers[-1], keras.layers.Softmax
    ):
        logits = LogProbability(name="log_probability")(logits)
    return keras.Model(inputs, {"logits": logits, "latent": features}, name=f"{network.name}_with_latent")


def check_outputs(classifier):
    """Raise a ValueError unless a network has the named input and outputs of a classifier, as from `with_latent`."""
    found, taken = getattr(classifier, "output", None), getattr(classifier, "input", None)
    is_named = isinstance(found, dict) and isinstance(taken, dict)
    if not is_named or not {"latent", "logits"} <= found.keys() or "image" not in taken:
        raise ValueError(
            f"the classifier {getattr(classifier, 'name', classifier)!r} does not take 'image' and return 'latent' and "
            "'logits'; wrap it with photoz_morph.adaptation.latent_layer.with_latent"
        )


@keras.saving.register_keras_serializable("photoz_morph")
class LogProbability(keras.layers.Layer):
    """Logarithm of probabilities, which are logits of the same probabilities; at least that of the float's step."""

    def call(self, probability):
        return keras.ops.log(keras.ops.maximum(probability, keras.config.epsilon()))
