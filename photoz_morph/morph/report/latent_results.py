"""Latent-space measurements and triplets of the runs of a report, which the report only draws."""

from dataclasses import dataclass, field

import numpy as np

from photoz_morph.morph.predictions import row_keys
from photoz_morph.morph.report.attack_choice import attack_tables_of, chosen_attack, n_pixels
from photoz_morph.morph.robustness.latent_scores import SAME_LATENTS, compare_latents, measure_latents
from photoz_morph.robustness.latents.church_windows import common_triplet
from photoz_morph.robustness.latents.geometry import class_separation, distance


@dataclass(frozen=True)
class LatentResults:
    """Measurements in the latent spaces of runs, by the name of the run.

    Attributes
    ----------
    measurements : dict of str to LatentMeasurements
        From `measurements_of`.
    ratios : dict of str to dict
        From `latent_ratios`.
    triplets : dict of str to (str, int)
        From `triplet_rows`.
    """

    measurements: dict = field(default_factory=dict)
    ratios: dict = field(default_factory=dict)
    triplets: dict = field(default_factory=dict)


def latent_results(runs):
    """Measure the latents of runs once, for all figures and tables.

    Parameters
    ----------
    runs : list of dict
        As in `MorphResults.runs`.

    Returns
    -------
    LatentResults
    """
    measurements = measurements_of(runs)
    return LatentResults(measurements, latent_ratios(runs, measurements), triplet_rows(runs))


def measurements_of(runs):
    """Latents of runs, measured galaxy by galaxy, as a dict of str to LatentMeasurements.

    Runs without `latent`, or whose `latent` is not of the latents in their predictions, are left out.
    """
    found = {}
    for run in runs:
        if run.get("latent") and _is_of_predictions(run):
            attack = _attack_of(run, run.get("attacks") or {})
            found[run["name"]] = measure_latents(run["table"], *read_head(run["latent"]), attack)
    return found


def _is_of_predictions(run):
    """True if latents were measured on the run's present predictions, behind the same test-time defence."""
    table = run["table"]
    found = class_separation(table["latent_y10"], table["label"])["separation"]
    return bool(np.isclose(found, run["latent"]["scale"]["separation"]["value"], rtol=SAME_LATENTS))


def _attack_of(run, attacks):
    """Table of the attack that latents were measured with, or None where it is missing."""
    facts = run["latent"]["attack"] or {}
    settings = {key: value for key, value in facts.items() if key not in ("n_attacked", "n_flipped")}
    for table, _ in attacks.values():
        same = all(table.meta.get(key) == value for key, value in settings.items())
        same = same and n_pixels(table.meta) == settings.get("pixels", 1)
        counts = {"n_attacked": len(table), "n_flipped": int(np.sum(table["flipped"]))}
        same = same and all(counts[key] == facts[key] for key in counts)  # the same settings on other galaxies
        if settings and same and _is_of_latents(run, table):
            return table
    return None


def read_head(latent):
    """Kernel and bias of the linear head in a `latent.json`."""
    return np.array(latent["head"]["kernel"]), np.array(latent["head"]["bias"])


def latent_ratios(runs, measurements):
    """Ratios of latent distances of each run to the first that has `latent`, by the name of the run.

    Empty where the first is stale: tables would take the ratios to another run for those to it.
    """
    first = next((run["name"] for run in runs if run.get("latent")), None)
    if first not in measurements:
        return {}
    return {name: compare_latents(measurements[first], part) for name, part in measurements.items() if name != first}


def triplet_rows(runs):
    """Galaxy whose church windows are shown: flipped on Y10 in every run that has latents and attacks.

    Parameters
    ----------
    runs : list of dict

    Returns
    -------
    dict of str to (str, int)
        Name of the attack and row of its table, by the name of the run; empty where there is no such galaxy.
    """
    measured = [run for run in runs if run.get("latent") and run.get("attacks") and _is_of_predictions(run)]
    attacks = attack_tables_of(measured)
    attacks = {run["name"]: {name: table for name, table in attacks[run["name"]].items() if _is_of_latents(run, table)}
               for run in measured}  # fmt: skip
    attacks = {run: of_run for run, of_run in attacks.items() if of_run}
    name, tables = chosen_attack(attacks, "Y10")
    rows = common_triplet(list(tables.values())) if tables else None
    return {run: (name, row) for run, row in zip(tables, rows)} if rows else {}


def _is_of_latents(run, table):
    """True if an attack is on the network whose latents are in the predictions: same seed, same test-time defence."""
    where = {key: row for row, key in enumerate(row_keys(run["table"]))}
    rows = [where.get(key) for key in row_keys(table)]
    if not rows or None in rows:
        return False
    moved = distance(np.asarray(run["table"]["latent_y10"])[rows], table["latent_y10"]).max()
    return bool(moved < SAME_LATENTS * run["latent"]["scale"]["spread"]["value"])
