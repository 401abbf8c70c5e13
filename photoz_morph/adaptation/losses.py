"""Registry of the adaptation losses: name in a config to the function that makes the loss.

A loss is a function `loss(source, target, labels)` that returns a scalar tensor. `source` and `target` are dictionaries
of the network's outputs for the two halves of a batch, `latent` of shape (n, n_latent) and `logits` of shape
(n, n_classes); `labels`, shape (n,), are those of the source. To add one, write its module with a maker, a function of
its options that returns the loss, and give it a row here; an option is the name of a setting of the config section
`adaptation`.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from photoz_morph.adaptation.consistency import consistency_loss
from photoz_morph.adaptation.mmd import mmd_loss


@dataclass(frozen=True)
class AdaptationLoss:
    """An adaptation loss of the registry.

    Attributes
    ----------
    make : callable
        Options to the loss.
    is_paired : bool
        Source and target must be the same galaxies, row by row.
    gathered : tuple of str
        Of "latent", "logits" and "labels", those that the loss needs from all replicas at once because it is no mean
        over galaxies. The others are those of one replica.
    """

    make: Callable
    is_paired: bool = False
    gathered: tuple = ()


LOSSES = {
    "mmd": AdaptationLoss(mmd_loss, gathered=("latent",)),
    "consistency": AdaptationLoss(consistency_loss, is_paired=True),
}


def losses_of(adaptation):
    """Losses of `DomainAdaptedClassifier` for the config section `adaptation`.

    MMD is always among them, with weight 0 where it is not the loss chosen: each history has its column.

    Parameters
    ----------
    adaptation : AdaptationConfig

    Returns
    -------
    list of (str, float, dict)
        Name, weight and options.
    """
    names = dict.fromkeys(["mmd", adaptation.name])
    names.pop("none", None)
    return [(name, adaptation.weight * (name == adaptation.name), _options(name, adaptation)) for name in names]


def _options(name, adaptation):
    """Settings of the config section that a loss takes."""
    return {option: getattr(adaptation, option) for option in inspect.signature(LOSSES[name].make).parameters}


def make_loss(name, options):
    """Make a loss of the registry.

    Parameters
    ----------
    name : str
    options : dict

    Returns
    -------
    callable
        loss(source, target, labels), see the head of this module.

    Raises
    ------
    ValueError
        If there is no such loss, or a value of an option is not known.
    """
    if name not in LOSSES:
        raise ValueError(f"no adaptation loss {name!r}; there are {', '.join(LOSSES)}")
    return LOSSES[name].make(**options)
