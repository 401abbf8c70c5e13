"""The checks of faithfulness of one method on some galaxies, with the curves that are drawn beside the maps."""

from dataclasses import dataclass

import numpy as np

from photoz_morph.explain.attribution.integrated_gradients import completeness_error
from photoz_morph.explain.faithfulness.agreement import mean_correlation
from photoz_morph.explain.faithfulness.curves import DIRECTIONS, map_of_image, removal_curves
from photoz_morph.explain.faithfulness.mu_fidelity import mu_fidelity
from photoz_morph.explain.faithfulness.randomisation import cascading_randomisation
from photoz_morph.explain.gradients import named
from photoz_morph.explain.sky import image_name

N_SUBSETS = 100  # random choices of patches of MuFidelity
ONLY_THE_LAST = 10**6  # layers to randomise before the map is explained again: all


@dataclass(frozen=True)
class Chance:
    """Curves of pixels in random order, with which those of maps are compared.

    Attributes
    ----------
    areas : dict of str to ndarray, shape (n,)
        By direction.
    """

    areas: dict


def chance_curves(score, inputs, filling, seed=0):
    """Curves of pixels in random order, the same for all methods.

    Returns
    -------
    Chance
    """
    shape = np.shape(named(inputs)[image_name(named(inputs))])
    maps = {image_name(named(inputs)): np.random.default_rng(seed).random(shape)}
    return Chance({way: removal_curves(score, inputs, maps, filling, way).area() for way in DIRECTIONS})


def checked_map(method, score, inputs, filling, attribution, settings, chance, others=()):
    """Check an attribution of all galaxies.

    Parameters
    ----------
    method : Method
    score : Score
    inputs, filling : ndarray or dict of ndarray
    attribution : ndarray or dict of ndarray
        By the method.
    settings : Settings
    chance : Chance
    others : sequence of (ndarray or dict of ndarray)
        Attributions by the same method of the other members of the ensemble.

    Returns
    -------
    checks : dict of str to ndarray, shape (n,)
        Those of `faithfulness.verdict` that the method allows.
    curves : dict of str to Curves
        By direction.
    """
    image = image_name(named(inputs))
    shape = np.shape(named(inputs)[image])
    maps = {image: map_of_image(named(attribution)[image], image, shape)}
    curves = {way: removal_curves(score, inputs, maps, filling, way) for way in DIRECTIONS}
    gains = [curves[way].area() - chance.areas[way] for way in DIRECTIONS]
    checks = {"removal": np.mean(gains, axis=0)}
    if method.is_signed:
        checks["fidelity"] = mu_fidelity(
            score, inputs, maps, filling, n_samples=N_SUBSETS, each_band=named(attribution)[image].ndim == 4,
            seed=settings.seed,
        )  # fmt: skip
    if method.adds_up:
        explained = {name: filling[name] for name in attribution} if isinstance(attribution, dict) else filling
        error, change = completeness_error(score, inputs, explained, attribution)
        checks["completeness"] = np.abs(error) / np.maximum(np.abs(change), np.finfo(float).tiny)
    # Where the filling is the galaxy itself there is nothing to explain, and maps are alike whatever the network.
    inside = np.any(named(inputs)[image] != named(filling)[image], axis=-1)
    if hasattr(score.network, "layers"):
        found = []

        def explain(of):
            found.append(method.explain(of, inputs, filling, settings))
            return found[-1]

        cascading_randomisation(score, explain, ONLY_THE_LAST, settings.seed)
        pair = [np.abs(named(one)[image]) for one in (attribution, found[-1])]
        checks["randomisation"] = _agreement(pair, inside)
    if others:
        checks["agreement"] = _agreement([named(one)[image] for one in (attribution, *others)], inside)
    return checks, curves


def _agreement(maps, inside):
    """Mean rank correlation of all pairs of maps over the pixels of each galaxy that differ from the filling."""
    return np.array([
        mean_correlation([one[galaxy][pixels][None] for one in maps])[0] if pixels.any() else np.nan
        for galaxy, pixels in enumerate(inside)
    ])  # fmt: skip
