"""Predictions and an attack to the distances and margins of a run, and of two runs on the same galaxies.

`measure_latents` takes lengths off the tables, galaxy by galaxy; `latent_scores` averages them, raw and scale-free, and
is what `RUN/latent.json` holds; `compare_latents` gives the ratios of two runs. All are those of the first seed, whose
latents the predictions hold. Errors are over groups of galaxies, at fixed networks.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.morph.predictions import DOMAINS, class_names, row_keys
from photoz_morph.robustness.latents.geometry import class_margins, crossing, distance, seen_distance
from photoz_morph.robustness.latents.means import LatentSpace, paired_ratio, scale_of, scaled_means
from photoz_morph.runs.scores import ORIGINS

SAME_LATENTS = 1e-2  # of the separation: float32 in other batches moves latents by 1e-5 of it, another network by 1
SAME_PROBABILITY = 1e-3  # likewise, between the head on the latents and the probabilities of the table
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SETTINGS = (  # of an attack, all but the defence that it is made on
    "search", "bounds", "objective", "success", "targeted", "max_queries", "population", "domain", "seed_number",
)  # fmt: skip
LENGTHS = {
    "y10_y1": "from Y10 to Y1, all galaxies",
    "y10_y1_flipped": "from Y10 to Y1, galaxies that one pixel flipped",
    "attacked": "from the base to the image with one pixel changed, flipped",
    "needed": "likewise, as far as the border where the class changes",
    "margin_y10": "from Y10 to the nearest border of the class given",
    "margin_y1": "from Y1 to the nearest border of the class given",
    "margin_y10_right": "from Y10 to the nearest border, galaxies given their label",
    "margin_flipped": "from the base to the nearest border, flipped",
    "margin_not_flipped": "from the base to the nearest border, attacked in vain",
}
OF_ATTACK = {"y10_y1_flipped", "attacked", "needed", "margin_flipped", "margin_not_flipped"}
SHARES = {
    "crossing": "part of the way to the attacked image after which the class changes",
    "directness": "nearest border over border in the direction of the attack, flipped",
    "alignment": "cosine between the steps to the attacked image and from Y10 to Y1, flipped",
    "seen_y10_y1": "part of the step from Y10 to Y1 that the head sees",
    "seen_attacked": "part of the step to the attacked image that the head sees",
}


@dataclass(frozen=True)
class LatentMeasurements:
    """What was measured in the latent space of one network, one value for each galaxy of its predictions.

    Attributes
    ----------
    table : Table
        The predictions.
    kernel, bias : ndarray, shapes (n_latent, n_classes) and (n_classes,)
        Of the head.
    space : LatentSpace
    lengths : dict of str to ndarray, shape (n,)
        Those of `LENGTHS` that were measured, NaN where a galaxy has none.
    shares : dict of str to ndarray, shape (n,)
        Likewise of `SHARES`: ratios and cosines, which need no ruler.
    attack : dict or None
        Settings and counts of the attack.
    """

    table: object
    kernel: np.ndarray
    bias: np.ndarray
    space: LatentSpace
    lengths: dict
    shares: dict
    attack: dict


def measure_latents(table, kernel, bias, attack=None):
    """Distances and margins of every galaxy of a run.

    Parameters
    ----------
    table : Table
        Morph predictions.
    kernel : ndarray, shape (n_latent, n_classes)
    bias : ndarray, shape (n_classes,)
        Head of the first seed's network.
    attack : Table, optional
        See `attack_tables`; of the first seed.

    Returns
    -------
    LatentMeasurements

    Raises
    ------
    ValueError
        If table, head and attack are not of one network.
    """
    latents = {name: np.asarray(table[f"latent_{suffix}"], float) for name, suffix in DOMAINS.items()}
    kernel, bias = np.asarray(kernel, float), np.asarray(bias, float)
    _check_head(table, latents["Y10"], kernel, bias)
    logits = {name: part @ kernel + bias for name, part in latents.items()}
    space = LatentSpace(latents["Y10"], np.asarray(table["label"]), np.asarray(table["group_id"]))
    margin = {name: class_margins(part, kernel) for name, part in logits.items()}
    right = logits["Y10"].argmax(axis=1) == space.labels
    step = distance(latents["Y10"], latents["Y1"])
    lengths = {"y10_y1": step, "margin_y10": margin["Y10"], "margin_y1": margin["Y1"]}
    lengths["margin_y10_right"] = np.where(right, margin["Y10"], np.nan)
    shares = {"seen_y10_y1": _over(seen_distance(latents["Y10"], latents["Y1"], kernel), step)}
    facts = None
    if attack is not None:
        rows, facts = _attacked_rows(table, attack, latents)
        attacked = _of_attack(attack, rows, latents, logits, margin, kernel)
        lengths |= attacked["lengths"]
        shares |= attacked["shares"]
    known = [{name: part[name] for name in names if np.isfinite(part.get(name, np.nan)).any()}
             for part, names in ((lengths, LENGTHS), (shares, SHARES))]  # fmt: skip
    return LatentMeasurements(table, kernel, bias, space, *known, facts)


def _check_head(table, latents, kernel, bias):
    """Raise a ValueError unless the head makes the probabilities of the first seed from its latents."""
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
            "from those of the table's first seed; it is of another network, predict again"
        )


def _attacked_rows(table, attack, latents):
    """Row of the predictions of each attacked galaxy, and the facts of the attack; a ValueError for another run's."""
    where = {key: row for row, key in enumerate(row_keys(table))}
    keys = row_keys(attack)
    lost = [key for key in keys if key not in where]
    if lost:
        raise ValueError(
            f"the attack has {len(lost)} galaxies that the predictions lack, the first is obj_id {lost[0][0]}; "
            "give an attack on the test galaxies of this run"
        )
    rows = np.array([where[key] for key in keys], int)
    moved = distance(latents["Y10"][rows], attack["latent_y10"])
    scale = np.sqrt(latents["Y10"].var(axis=0).sum())
    if len(rows) and not moved.max() < SAME_LATENTS * scale:
        raise ValueError(
            f"the attack (run {attack.meta['run']}, seed {attack.meta['seed_number']}, defence "
            f"{attack.meta['defence']}) has other latents than the predictions' first seed, by up to {moved.max():.3g} "
            f"where galaxies scatter by {scale:.3g}; it is of another network or defence: attack the first, or measure "
            "without"
        )
    flipped = np.asarray(attack["flipped"], bool)
    facts = {name: _plain(attack.meta[name]) for name in (*SETTINGS, "defence") if name in attack.meta}
    return rows, facts | {"n_attacked": len(rows), "n_flipped": int(flipped.sum())}


def _plain(value):
    """A number or text of a header as JSON has it."""
    return value.item() if isinstance(value, np.generic) else value


def _of_attack(attack, rows, latents, logits, margin, kernel):
    """Lengths and shares of the attacked galaxies, in the rows of the predictions."""
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
    shares = {
        "crossing": spread_out(way),
        "directness": spread_out(_over(margin[domain][hit], way * step)),
        "alignment": spread_out(_cosine(after - base, latents["Y1"][hit] - latents["Y10"][hit])),
        "seen_attacked": spread_out(_over(seen_distance(base, after, kernel), step)),
    }
    return {"lengths": lengths, "shares": shares}


def _cosine(first, second):
    """Cosine of the angle between steps of the same rows."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return _over((first * second).sum(axis=1), lengths)


def _over(part, whole):
    """Ratio of two lengths, NaN where the whole has none: an image that did not move at all."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def latent_scores(measurements, n_bootstrap=1000, seed=0):
    """Means of what was measured, raw and scale-free, with errors over groups.

    Parameters
    ----------
    measurements : LatentMeasurements
    n_bootstrap, seed : int

    Returns
    -------
    dict
        For JSON. `data`, `origin`, `survey`, `model`, `adaptation`, `config`, `classes`; `n_galaxies`, `n_groups`,
        `n_latent`; `attack` (settings, n_attacked, n_flipped; or None); `head` (kernel, bias); `scale` (separation and
        spread); `lengths`: for each name of `LENGTHS` None or what `scaled_means` gives; `shares`: for each name of
        `SHARES` None or {n, value, error, interval, quantiles (5, 25, 50, 75, 95 %)}.
    """
    table, space = measurements.table, measurements.space
    redraw = {"n_resamples": n_bootstrap, "seed": seed}
    lengths = scaled_means(measurements.lengths, space, **redraw)
    shares = {}
    for name, part in scaled_means(measurements.shares, space, **redraw).items():
        known = measurements.shares[name][np.isfinite(measurements.shares[name])]
        shares[name] = {"n": part["n"], **part["raw"], "quantiles": np.quantile(known, QUANTILES).tolist()}
    return {
        "data": ORIGINS[table.meta["origin"]],
        **{name: table.meta[name] for name in ("origin", "survey", "model", "adaptation", "config")},
        "classes": list(class_names(table)),
        "n_galaxies": len(table),
        "n_groups": len(np.unique(space.group_id)),
        "n_latent": int(space.latents.shape[1]),
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "attack": measurements.attack,
        "head": {"kernel": measurements.kernel.tolist(), "bias": measurements.bias.tolist()},
        "scale": scale_of(space, **redraw),
        "lengths": {name: lengths.get(name) for name in LENGTHS},
        "shares": {name: shares.get(name) for name in SHARES},
    }


def is_same_attack(facts, others):
    """Whether two attacks, told by the meta of their tables, differ in nothing but the defence they were made on."""
    return all(facts.get(name) == others.get(name) for name in SETTINGS)


def compare_latents(first, second, n_bootstrap=1000, seed=0):
    """Ratios of the lengths of two runs, the second over the first, on the same galaxies.

    Parameters
    ----------
    first, second : LatentMeasurements
        Such as of the regular and of the adapted network; their predictions may be in any order.
    n_bootstrap, seed : int

    Returns
    -------
    dict
        For each name of `LENGTHS` what `paired_ratio` gives, or None where not both have it for some galaxy. What
        only flipped galaxies have is compared on those that both attacks flipped, if `is_same_attack`;
        "margin_not_flipped" never is.

    Raises
    ------
    ValueError
        If the runs are not of the same galaxies.
    """
    where = {key: row for row, key in enumerate(row_keys(second.table))}
    keys = row_keys(first.table)
    lonely = sorted(set(keys) ^ set(where))
    if lonely:
        raise ValueError(
            f"latents cannot be compared: {len(lonely)} galaxies are in one run only, the first is obj_id "
            f"{lonely[0][0]}; predict both from one split of one dataset"
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
