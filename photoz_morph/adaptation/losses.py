"""Registry of the adaptation losses: name in a config to the function that makes the loss.

A loss is a function `loss(source, target, labels)` that returns a scalar tensor. `source` and `target` are dictionaries
of the network's outputs for the two halves of a batch, `latent` of shape (n, n_latent) and `logits` of shape
(n, n_classes); `labels`, shape (n,), are those of the source; in training on PDFs they are targets of shape
(n, n_classes), which only some losses take. To add one, write its module with a maker, a function of
its options that returns the loss, and give it a row here; an option is the name of a setting of the config section
`adaptation`.

A loss with weights or random numbers of its own is a Keras layer, whose method `create(n_latent, n_classes, seed)`
makes them. They are trained and saved with the training wrapper, and are no part of the classifier that is kept for
use. Where a row names a `view`, the layer also has `view(source, target, rows)`: images of that domain to be shown once
more, whose logits the loss gets as `view_logits`; `rows` are its first row, its number of rows, and the number of rows
of all replicas.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from photoz_morph.adaptation.adversarial.cdan import cdan_loss
from photoz_morph.adaptation.adversarial.dann import dann_loss
from photoz_morph.adaptation.adversarial.mdd import mdd_loss
from photoz_morph.adaptation.augmented.fixmatch import fixmatch_loss
from photoz_morph.adaptation.augmented.noise import noise_loss
from photoz_morph.adaptation.consistency import consistency_loss
from photoz_morph.adaptation.coral import coral_loss
from photoz_morph.adaptation.deepjdot import deepjdot_loss
from photoz_morph.adaptation.entropy import entropy_loss
from photoz_morph.adaptation.fisher import fisher_loss
from photoz_morph.adaptation.lmmd import lmmd_loss
from photoz_morph.adaptation.mcc import mcc_loss
from photoz_morph.adaptation.mmd import mmd_loss
from photoz_morph.adaptation.sinkhorn import sinkhorn_loss


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
    view : {"source", "target"}, optional
        Domain whose images the loss changes and has shown once more.
    """

    make: Callable
    is_paired: bool = False
    gathered: tuple = ()
    view: str | None = None


# The adversarial losses are means, but gathered, they drop the same hidden units on several replicas as on one.
LOSSES = {
    "mmd": AdaptationLoss(mmd_loss, gathered=("latent",)),
    "lmmd": AdaptationLoss(lmmd_loss, gathered=("latent", "logits", "labels")),
    "consistency": AdaptationLoss(consistency_loss, is_paired=True),
    "coral": AdaptationLoss(coral_loss, gathered=("latent",)),
    "dann": AdaptationLoss(dann_loss, gathered=("latent",)),
    "cdan": AdaptationLoss(cdan_loss, gathered=("latent", "logits")),
    "mdd": AdaptationLoss(mdd_loss, gathered=("latent", "logits")),
    "mcc": AdaptationLoss(mcc_loss, gathered=("logits",)),
    "entropy": AdaptationLoss(entropy_loss),
    "sinkhorn": AdaptationLoss(sinkhorn_loss, gathered=("latent",)),
    "deepjdot": AdaptationLoss(deepjdot_loss, gathered=("latent", "logits", "labels")),
    "fisher": AdaptationLoss(fisher_loss, gathered=("latent", "labels")),
    "fixmatch": AdaptationLoss(fixmatch_loss, view="target"),
    "noise": AdaptationLoss(noise_loss, view="source"),
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
    return [(name, adaptation.weight * (name == adaptation.name), options_of(name, adaptation)) for name in names]


def options_of(name, adaptation):
    """Settings of the config section `adaptation` that a loss takes; an option that is no setting has its default."""
    options = inspect.signature(LOSSES[name].make).parameters
    return {option: getattr(adaptation, option) for option in options if hasattr(adaptation, option)}


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
