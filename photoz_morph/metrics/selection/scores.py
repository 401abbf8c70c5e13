"""Every score of one network by its name, for the whole sample or for resamples of it.

To add one, give it a row in `SCORES` and its value in `selection_scores`.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.metrics.classification import predicted_class
from photoz_morph.metrics.selection.consistency import circular_classes, mixval
from photoz_morph.metrics.selection.domains import (
    a_distance,
    density_ratio,
    domain_auc,
    effective_number,
    held_out_domain,
)
from photoz_morph.metrics.selection.source_risks import dev_accuracy, importance_weighted_accuracy, weighted_mean
from photoz_morph.metrics.selection.target_outputs import (
    information_maximisation,
    mean_entropy,
    neighbourhood_entropies,
)

# Name -> (title, 1 if higher is better and -1 if lower is, source).
SCORES = {
    "source_accuracy": ("source accuracy", 1, "labels of the source"),
    "importance_weighted": ("importance-weighted accuracy", 1, "Sugiyama et al. (2007)"),
    "dev": ("deep embedded validation (DEV)", 1, "You et al. (2019)"),
    "entropy": ("entropy", -1, "Morerio et al. (2018)"),
    "information": ("information maximisation", 1, "Musgrave et al. (2022)"),
    "snd": ("soft neighbourhood density (SND)", 1, "Saito et al. (2021)"),
    "circular": ("circular validation", 1, "Bruzzone & Marconcini (2010)"),
    "mixval": ("MixVal", 1, "Hu et al. (2023)"),
    "domain_auc": ("AUC of the domain", -1, "of a domain classifier"),
    "a_distance": ("A-distance", -1, "Ben-David et al. (2007)"),
}


@dataclass(frozen=True)
class NetworkOutputs:
    """What one network makes of labelled source galaxies and of unlabelled target galaxies, none of them trained on.

    Attributes
    ----------
    label : ndarray of int, shape (n,)
        Of the source galaxies.
    source_probability, target_probability : ndarray, shapes (n, n_classes) and (m, n_classes)
    source_latent, target_latent : ndarray, shapes (n, n_latent) and (m, n_latent)
    source_group, target_group : ndarray, shapes (n,) and (m,)
        Galaxies of a group are never on both sides of a cross-validation.
    partner, mixed_probability : ndarray, shapes (m,) and (m, n_classes), optional
        Rows of the target galaxies that the target images were mixed with, and the probabilities of the mixtures.
    """

    label: np.ndarray
    source_probability: np.ndarray
    target_probability: np.ndarray
    source_latent: np.ndarray
    target_latent: np.ndarray
    source_group: np.ndarray
    target_group: np.ndarray
    partner: np.ndarray | None = None
    mixed_probability: np.ndarray | None = None

    def ratio(self):
        """Density of the target over that of the source in latent space at each source galaxy, shape (n,)."""
        return density_ratio(self.domains()[0])

    def domains(self):
        """Probability of the target domain for the galaxies of source and target, from `held_out_domain`."""
        return held_out_domain(self.source_latent, self.target_latent, self.source_group, self.target_group)


def selection_scores(outputs, source_weights=None, target_weights=None):
    """Scores of a network.

    Parameters
    ----------
    outputs : NetworkOutputs
    source_weights, target_weights : ndarray, shapes (n_resamples, n) and (n_resamples, m), optional
        Number of times that each galaxy counts, as from `group_errors.group_weights`.

    Returns
    -------
    values : dict of str to float
        By the names of `SCORES`; MixVal is NaN without mixtures. `effective_number` is the number of galaxies that the
        importance weights leave.
    resampled : dict of str to ndarray, shape (n_resamples,)
        Likewise for each resample; empty without weights. What is fitted, domain classifier, linear head and
        neighbourhoods, is that of the whole sample.
    """
    domains = outputs.domains()
    ratio, target = density_ratio(domains[0]), np.asarray(outputs.target_probability, float)
    given = predicted_class(target)
    right = predicted_class(outputs.source_probability) == outputs.label
    back = circular_classes(
        outputs.source_latent, outputs.target_latent, given, outputs.source_group, outputs.target_group
    )
    neighbourhoods = neighbourhood_entropies(target)
    mixed = None if outputs.mixed_probability is None else predicted_class(outputs.mixed_probability)

    def scores(source, target_counts):
        found = {
            "source_accuracy": weighted_mean(right, source),
            "importance_weighted": importance_weighted_accuracy(right, ratio, source),
            "dev": dev_accuracy(right, ratio, source),
            "entropy": mean_entropy(target, target_counts),
            "information": information_maximisation(target, target_counts),
            "snd": weighted_mean(neighbourhoods, target_counts),
            "circular": weighted_mean(back == outputs.label, source),
            "mixval": np.nan if mixed is None else mixval(given, outputs.partner, mixed, target_counts),
            "domain_auc": domain_auc(*domains, source, target_counts),
            "a_distance": a_distance(*domains, source, target_counts),
        }
        return {name: found[name] for name in SCORES}

    values = {name: float(value) for name, value in scores(None, None).items()}
    values["effective_number"] = effective_number(ratio)
    if source_weights is None:
        return values, {}
    resampled = scores(source_weights, target_weights)
    return values, {name: np.broadcast_to(value, len(source_weights)) for name, value in resampled.items()}
