"""Networks of an ensemble that give their latents beside their PDFs."""

import keras
import tensorflow as tf

LATENT_LAYER = "FC2"
NEEDED = ("image", "ebv")  # inputs without which there is no answer; others may be NaN where they are unknown


def with_latents(members):
    """Each network with two outputs, the PDF and the last hidden layer, FC2.

    Parameters
    ----------
    members : list of keras.Model

    Returns
    -------
    list of keras.Model
        A dictionary of inputs to {"pdf", "latent"}.

    Raises
    ------
    ValueError
        If a network has no such layer.
    """
    found = []
    for index, member in enumerate(members):
        if LATENT_LAYER not in {layer.name for layer in member.layers}:
            raise ValueError(f"network {member.name} has no layer {LATENT_LAYER}, whose output its latents are")
        outputs = {"pdf": member.outputs[0], "latent": member.get_layer(LATENT_LAYER).output}
        inputs = {tensor.name: tensor for tensor in member.inputs}
        found.append(keras.Model(inputs, outputs, name=f"member_{index}"))
    return found


def member_function(members):
    """Compiled function of a batch, a dictionary of inputs, to the lists of the members' PDFs and of their latents."""
    networks = with_latents(members)

    def outputs(batch):
        answers = [network({name: batch[name] for name in network.input}) for network in networks]
        return [answer["pdf"] for answer in answers], [answer["latent"] for answer in answers]

    return tf.function(outputs, reduce_retracing=True)


def ensemble(members):
    """One network that gives what `graph.calibrated_outputs` needs.

    Parameters
    ----------
    members : list of keras.Model

    Returns
    -------
    keras.Model
        A dictionary of inputs to {"image", "ebv", "pdf_0", "latent_0", "pdf_1", ...}.
    """
    networks = with_latents(members)
    inputs = {name: keras.Input(tensor.shape[1:], name=name) for name, tensor in networks[0].input.items()}
    outputs = {name: inputs[name] for name in NEEDED}
    for index, network in enumerate(networks):
        outputs |= {f"{name}_{index}": value for name, value in network(inputs).items()}
    return keras.Model(inputs, outputs, name="ensemble")
