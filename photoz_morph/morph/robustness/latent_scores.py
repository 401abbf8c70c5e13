"""Latent distances and margins of a run, from its predictions and an attack, and their ratios between two runs.

`measure_latents` measures lengths galaxy by galaxy; `latent_scores` averages them, raw and scale-free, for
`RUN/latent.json`; `compare_latents` computes the ratios of two runs. All refer to the first seed, whose latents are in
the predictions. Errors are over groups of galaxies, at fixed networks.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.metrics.classification import predicted_class
from photoz_morph.morph.predictions import DOMAINS, class_names, row_keys
from photoz_morph.robustness.latents.geometry import class_margins, crossing, distance, seen_distance
from photoz_morph.robustness.latents.means import LatentSpace, paired_ratio, scale_of, scaled_means
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.provenance import scored_provenance

SAME_LATENTS = 1e-2  # of the spread: float32 in other batches moves latents by 1e-5 of it, another network by 1
SAME_PROBABILITY = 1e-3  # between the head on the latents and the probabilities of the table
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SETTINGS = (  # of an attack, except the defence of the attacked network
    "search", "bounds", "objective", "success", "targeted", "max_queries", "population", "domain", "seed_number",
)  # fmt: skip
LENGTHS = {
    "y10_y1": "from Y10 to Y1, all galaxies",
    "y10_y1_flipped": "from Y10 to Y1, galaxies that the attack flipped",
    "attacked": "from the base to the attacked image, flipped",
    "needed": "the same, up to the border where the class changes",
    "margin_y10": "from Y10 to the nearest border of the predicted class",
    "margin_y1": "from Y1 to the nearest border of the predicted class",
    "margin_y10_right": "from Y10 to the nearest border, correctly classified galaxies",
    "margin_flipped": "from the base to the nearest border, flipped",
    "margin_not_flipped": "from the base to the nearest border, attacked but not flipped",
}
OF_ATTACK = {"y10_y1_flipped", "attacked", "needed", "margin_flipped", "margin_not_flipped"}
FRACTIONS = {
    "crossing": "fraction of the step to the attacked image after which the class changes",
    "directness": "distance to the nearest border over that to the border along the attack, flipped",
    "alignment": "cosine between the steps to the attacked image and from Y10 to Y1, flipped",
    "seen_y10_y1": "fraction of the step from Y10 to Y1 that the head sees",
    "seen_attacked": "fraction of the step to the attacked image that the head sees",
}


@dataclass(frozen=True)
class LatentMeasurements:
    """Measurements in the latent space of one network, one value for each galaxy of its predictions.

    Attributes
    ----------
    table : Table
        The predictions.
    kernel, bias : ndarray, shapes (n_latent, n_classes) and (n_classes,)
        Linear head.
    space : LatentSpace
    lengths : dict of str to ndarray, shape (n,)
        Those of `LENGTHS` that were measured; NaN for a galaxy without the length.
    fractions : dict of str to ndarray, shape (n,)
        Likewise of `FRACTIONS`: ratios and cosines, which do not depend on the scale.
    attack : dict or None
        Settings and counts of the attack.
    """

    table: object
    kernel: np.ndarray
    bias: np.ndarray
    space: LatentSpace
    lengths: dict
    fractions: dict
    attack: dict


def measure_latents(table, kernel, bias, attack=None):
    """Measure distances and margins of every galaxy of a run.

    Parameters
    ----------
    table : Table
        Morph predictions.
    kernel : ndarray, shape (n_latent, n_classes)
    bias : ndarray, shape (n_classes,)
        Linear head of the first seed's network.
    attack : Table, optional
        Attack on the first seed's network; see `attack_files`.

    Returns
    -------
    LatentMeasurements

    Raises
    ------
    ValueError
        If table, head and attack do not belong to one network.
    """
    latents = {name: np.asarray(table[f"latent_{suffix}"], float) for name, suffix in DOMAINS.items()}
    kernel, bias = np.asarray(kernel, float), np.asarray(bias, float)
    _check_head(table, latents["Y10"], kernel, bias)
    logits = {name: part @ kernel + bias for name, part in latents.items()}
    space = LatentSpace(latents["Y10"], np.asarray(table["label"]), np.asarray(table["group_id"]))
    margin = {name: class_margins(part, kernel) for name, part in logits.items()}
    right = predicted_class(logits["Y10"]) == space.labels
    step = distance(latents["Y10"], latents["Y1"])
    lengths = {"y10_y1": step, "margin_y10": margin["Y10"], "margin_y1": margin["Y1"]}
    lengths["margin_y10_right"] = np.where(right, margin["Y10"], np.nan)
    fractions = {"seen_y10_y1": _over(seen_distance(latents["Y10"], latents["Y1"], kernel), step)}
    facts = None
    if attack is not None:
        rows, facts = _attacked_rows(table, attack, latents)
        attacked = _of_attack(attack, rows, latents, logits, margin, kernel)
        lengths |= attacked["lengths"]
        fractions |= attacked["fractions"]
    known = [{name: part[name] for name in names if np.isfinite(part.get(name, np.nan)).any()}
             for part, names in ((lengths, LENGTHS), (fractions, FRACTIONS))]  # fmt: skip
    return LatentMeasurements(table, kernel, bias, space, *known, facts)


def _check_head(table, latents, kernel, bias):
    """Raise a ValueError unless the head turns the latents of the first seed into its probabilities."""
    if kernel.shape[0] != latents.shape[1]:
        raise ValueError(
            f"the network's head takes {kernel.shape[0]} latents, the predictions hold {latents.shape[1]}; predict "
            "again"
        )
    logits = latents @ kernel + bias
    exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability = exponent / exponent.sum(axis=1, keepdims=True)
    worst = np.abs(probability - np.asarray(table["probability_y10"], float)[:, 0]).max()
    if not worst < SAME_PROBABILITY:
        raise ValueError(
            f"predictions of {table.meta['config']}: the network's head gives probabilities that differ by {worst:.2g} "
            "from those of the table's first seed; the predictions are of another network, predict again"
        )


def _attacked_rows(table, attack, latents):
    """Rows of the attacked galaxies in the predictions, and the facts of the attack; a ValueError if of another run."""
    where = {key: row for row, key in enumerate(row_keys(table))}
    keys = row_keys(attack)
    unmatched = [key for key in keys if key not in where]
    if unmatched:
        raise ValueError(
            f"{len(unmatched)} galaxies of the attack are missing in the predictions, the first is obj_id "
            f"{unmatched[0][0]}; give an attack on the test galaxies of this run"
        )
    rows = np.array([where[key] for key in keys], int)
    moved = distance(latents["Y10"][rows], attack["latent_y10"])
    scale = np.sqrt(latents["Y10"].var(axis=0).sum())
    if len(rows) and not moved.max() < SAME_LATENTS * scale:
        raise ValueError(
            f"the attack (run {attack.meta['run']}, seed {attack.meta['seed_number']}, defence "
            f"{attack.meta['defence']}) has other latents than the predictions' first seed, by up to {moved.max():.3g} "
            f"where galaxies scatter by {scale:.3g}; it is of another network or defence: attack the first network, or "
            "measure without an attack"
        )
    flipped = np.asarray(attack["flipped"], bool)
    names = (*SETTINGS, "defence", *["pixels"] * (attack.meta.get("pixels", 1) > 1))
    facts = {name: _plain(attack.meta[name]) for name in names if name in attack.meta}
    return rows, facts | {"n_attacked": len(rows), "n_flipped": int(flipped.sum())}


def _plain(value):
    """Value of a header as a plain Python type, for JSON."""
    return value.item() if isinstance(value, np.generic) else value


def _of_attack(attack, rows, latents, logits, margin, kernel):
    """Lengths and fractions of the attacked galaxies, in the rows of the predictions."""
    domain, flipped = attack.meta["domain"], np.asarray(attack["flipped"], bool)
    hit = rows[flipped]
    base, after = latents[domain][hit], np.asarray(attack["latent_attacked"], float)[flipped]
    step = distance(base, after)
    way = crossing(logits[domain][hit], np.asarray(attack["logits_attacked"], float)[flipped],
                   np.asarray(attack["label"])[flipped])  # fmt: skip

    def spread_out(values, rows=hit):
        column = np.full(len(latents[domain]), np.nan)
        column[rows] = values
        return column

    lengths = {
        "y10_y1_flipped": spread_out(distance(latents["Y10"][hit], latents["Y1"][hit])),
        "attacked": spread_out(step),
        "needed": spread_out(way * step),
        "margin_flipped": spread_out(margin[domain][hit]),
        "margin_not_flipped": spread_out(margin[domain][rows[~flipped]], rows[~flipped]),
    }
    fractions = {
        "crossing": spread_out(way),
        "directness": spread_out(_over(margin[domain][hit], way * step)),
        "alignment": spread_out(_cosine(after - base, latents["Y1"][hit] - latents["Y10"][hit])),
        "seen_attacked": spread_out(_over(seen_distance(base, after, kernel), step)),
    }
    return {"lengths": lengths, "fractions": fractions}


def _cosine(first, second):
    """Cosine of the angle between the steps in each row."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return _over((first * second).sum(axis=1), lengths)


def _over(part, whole):
    """Ratio of two lengths; NaN where the denominator is 0, for an image that did not move."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def latent_scores(measurements, n_bootstrap=1000, seed=0):
    """Average measurements, raw and scale-free, with errors over groups.

    Parameters
    ----------
    measurements : LatentMeasurements
    n_bootstrap, seed : int

    Returns
    -------
    dict
        For JSON. `data`, `origin`, `survey`, `model`, `adaptation`, `config`, `classes`; `n_galaxies`, `n_groups`,
        `n_latent`; `attack` (settings, n_attacked, n_flipped; or None); `head` (kernel, bias); `scale` (separation and
        spread); `lengths`: for each name of `LENGTHS` None or the dict of `scaled_means`; `shares`: for each name of
        `FRACTIONS` None or {n, value, error, interval, quantiles (5, 25, 50, 75, 95 %)}.
    """
    table, space = measurements.table, measurements.space
    bootstrap = {"n_resamples": n_bootstrap, "seed": seed}
    lengths = scaled_means(measurements.lengths, space, **bootstrap)
    fractions = {}
    for name, part in scaled_means(measurements.fractions, space, **bootstrap).items():
        known = measurements.fractions[name][np.isfinite(measurements.fractions[name])]
        fractions[name] = {"n": part["n"], **part["raw"], "quantiles": np.quantile(known, QUANTILES).tolist()}
    return {
        "data": ORIGINS[table.meta["origin"]],
        **{name: table.meta[name] for name in ("origin", "survey", "model", "adaptation", "config")},
        **scored_provenance(table.meta),
        "classes": list(class_names(table)),
        "n_galaxies": len(table),
        "n_groups": len(np.unique(space.group_id)),
        "n_latent": int(space.latents.shape[1]),
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "attack": measurements.attack,
        "head": {"kernel": measurements.kernel.tolist(), "bias": measurements.bias.tolist()},
        "scale": scale_of(space, **bootstrap),
        "lengths": {name: lengths.get(name) for name in LENGTHS},
        "shares": {name: fractions.get(name) for name in FRACTIONS},
    }


def is_same_attack(facts, others):
    """True if two attacks, given the meta of their tables, have the same settings except the defence."""
    alike = all(facts.get(name) == others.get(name) for name in SETTINGS)
    return alike and facts.get("pixels", 1) == others.get("pixels", 1)  # which tables of one pixel may lack


def compare_latents(first, second, n_bootstrap=1000, seed=0):
    """Compute the ratios of the lengths of two runs, second over first, on the same galaxies.

    Parameters
    ----------
    first, second : LatentMeasurements
        For example of the regular and the adapted network; the galaxies may be in any order.
    n_bootstrap, seed : int

    Returns
    -------
    dict
        For each name of `LENGTHS` the dict of `paired_ratio`, or None if no galaxy has the length in both runs. Lengths
        of flipped galaxies are compared on those flipped in both runs, if `is_same_attack`; "margin_not_flipped" is
        never compared.

    Raises
    ------
    ValueError
        If the runs have different galaxies.
    """
    where = {key: row for row, key in enumerate(row_keys(second.table))}
    keys = row_keys(first.table)
    unmatched = sorted(set(keys) ^ set(where))
    if unmatched:
        raise ValueError(
            f"latents cannot be compared: {len(unmatched)} galaxies are in only one run, the first is obj_id "
            f"{unmatched[0][0]}; predict both from the same split of one dataset"
        )
    rows = [where[key] for key in keys]
    space = LatentSpace(second.space.latents[rows], second.space.labels[rows], second.space.group_id[rows])
    ratios = dict.fromkeys(LENGTHS)
    names = set(first.lengths) & set(second.lengths) - {"margin_not_flipped"}
    if first.attack and second.attack and not is_same_attack(first.attack, second.attack):
        names -= OF_ATTACK
    for name in names:
        pair = (first.lengths[name], second.lengths[name][rows])
        if np.isfinite(pair[0] + pair[1]).any():
            ratios[name] = paired_ratio((pair[0], first.space), (pair[1], space), n_bootstrap, seed)
    return ratios
