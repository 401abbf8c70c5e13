"""The file `latent.json` of a run, and the scatter of its seeds in ratios of two runs."""

import json

import numpy as np

from photoz_morph.metrics.group_errors import interval
from photoz_morph.robustness.latents.means import UNITS
from photoz_morph.system.json_files import read_json, write_atomically

LAYOUT = ("data", "attack", "head", "scale", "lengths", "shares", "seeds")


def seed_ratio(first, second, name="y10_y1"):
    """Ratio of a mean length between two runs, raw and scale-free, with an interval from the scatter of their seeds.

    Parameters
    ----------
    first, second : list of dict
        `seeds` of `latent_run`.
    name : {"y10_y1", "margin_y10", "margin_y1"}

    Returns
    -------
    dict
        For "raw", "per_separation" and "per_spread" {value, interval}: ratio of the geometric means over seeds, second
        over first, with the 95 % interval of Welch's t on the logarithms, None if a run has one seed.
    """
    result = {}
    for unit in UNITS:
        divisor = unit.removeprefix("per_")
        logs = [np.log([entry[name] / entry.get(divisor, 1.0) for entry in seeds]) for seeds in (first, second)]
        gain = logs[1].mean() - logs[0].mean()
        result[unit] = {"value": float(np.exp(gain)), "interval": None}
        if min(map(len, logs)) > 1:
            parts = [(part.std(ddof=1) / np.sqrt(len(part)), len(part) - 1) for part in logs]
            result[unit]["interval"] = np.exp(interval(gain, parts)["interval"]).tolist()
    return result


def write_latent(scores, path):
    """Write the scores of `latent_run` as JSON to a temporary name, then rename it."""
    write_atomically(path, json.dumps(scores, indent=1, allow_nan=False) + "\n")


def read_latent(path):
    """Read scores from `write_latent`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not JSON, or lacks a key of `LAYOUT`.
    """
    return read_json(path, LAYOUT, "run `morph latent` again")
