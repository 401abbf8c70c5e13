"""Model randomisation (Adebayo et al. 2018): a map must change when the weights of the network are no longer learnt."""

from dataclasses import dataclass

import numpy as np

from photoz_morph.explain.faithfulness.mu_fidelity import rank_correlation
from photoz_morph.explain.gradients import named


@dataclass(frozen=True)
class Randomisation:
    """Likeness of maps before and after the weights of layers are randomised.

    Attributes
    ----------
    layers : tuple of str
        Names from the output to the inputs; all above and including a layer are randomised.
    correlation : dict of str to ndarray, shape (n, n_layers)
        Spearman's correlation of the absolute maps, for each input with rows and columns.
    """

    layers: tuple
    correlation: dict


def cascading_randomisation(score, explain, every=1, seed=0, progress=lambda layers: layers):
    """Explain with the weights of more and more layers shuffled, from the output to the inputs.

    Parameters
    ----------
    score : Score
        Of a Keras model; its weights are put back in the end, whatever happens.
    explain : callable
        The score to an attribution, such as `lambda score: integrated_gradients(score, inputs, baseline)`.
    every : int
        Explain after each so many layers with weights; the last is always explained.
    seed : int
    progress : callable, optional
        Wraps the sequence of layers, such as tqdm.

    Returns
    -------
    Randomisation

    Raises
    ------
    ValueError
        If the network has no layers with weights.

    Notes
    -----
    Adebayo et al. (2018, arXiv 1810.03292), Sec. 3. Weights are permuted within each array, which keeps their
    distribution; their code draws initial weights anew.
    """
    network = score.network
    layers = [layer for layer in getattr(network, "layers", []) if layer.trainable_weights][::-1]
    if not layers:
        raise ValueError(f"the network {getattr(network, 'name', network)!r} has no layers with weights to randomise")
    before, rng = _maps(explain(score)), np.random.default_rng(seed)
    learnt = [(layer, layer.get_weights()) for layer in layers]
    names, found = [], {name: [] for name in before}
    try:
        for number, layer in enumerate(progress(layers), start=1):
            for weight in layer.trainable_weights:
                values = np.asarray(weight)
                weight.assign(rng.permutation(values.ravel()).reshape(values.shape))
            if number % every and number < len(layers):
                continue
            names.append(layer.name)
            for name, maps in _maps(explain(score)).items():
                found[name].append([rank_correlation(*pair) for pair in zip(before[name], maps)])
    finally:
        for layer, weights in learnt:
            layer.set_weights(weights)
    return Randomisation(tuple(names), {name: np.array(part).T for name, part in found.items()})


def _maps(attribution):
    """Absolute maps of the inputs with rows and columns."""
    return {name: np.abs(values) for name, values in named(attribution).items() if np.ndim(values) >= 3}
