"""From the outputs of an ensemble of networks to maps, fields or posteriors of parameters in their units."""

from keras import ops

from photoz_morph.blend.maps.targets import maps_of_outputs


def ensemble_answers(functions, images, answer):
    """Answers of several networks for a batch of images.

    Parameters
    ----------
    functions : sequence of callable
        Networks: {"image"} to {answer}.
    images : ndarray, shape (n, size, size, n_bands)
    answer : {"maps", "field", "parameters"}

    Returns
    -------
    ndarray
        Their mean, shape (n, size, size, n_maps), maps in their units; or the mean and the standard deviation of the
        mixture of their Gaussian posteriors, as (n, n_parameters, 2), the second as logarithm.
    """
    inputs = {"image": ops.convert_to_tensor(images)}
    return ops.convert_to_numpy(mean_answer([function(inputs)[answer] for function in functions], answer))


def mean_answer(outputs, answer):
    """One answer from the outputs of several networks, as tensors; see `ensemble_answers`."""
    outputs = ops.stack(outputs)
    if answer != "parameters":
        mean = ops.mean(outputs, axis=0)
        return maps_of_outputs(mean) if answer == "maps" else mean
    means, sigmas = outputs[..., 0], ops.exp(outputs[..., 1])
    mean = ops.mean(means, axis=0)
    variance = ops.mean(sigmas**2 + (means - mean) ** 2, axis=0)
    return ops.stack([mean, 0.5 * ops.log(variance)], axis=-1)
