"""Section of the gallery on simulated mergers whose truth is known: where the network looks, and what it misses."""

from functools import partial

import numpy as np

from photoz_morph.metrics.group_errors import mean_with_interval
from photoz_morph.report import html
from photoz_morph.report.explanations.responses import response_points, share_bars
from photoz_morph.report.page import Entry

SECTION = "Known truth: companions and tidal tails"
NAMES = {"without_companion": "without the companion", "without_tails": "without tidal tails",
         "primary_alone": "without either"}  # fmt: skip


def known_truth(table):
    """Entries of the section.

    Parameters
    ----------
    table : Table
        From `explanation.known_truth.measure_known_truth`.

    Returns
    -------
    list of Entry
    """
    groups, regions = np.asarray(table["group_id"]), table.meta["regions"].split(",")
    shares = {
        label: [mean_with_interval(values, groups) for values in np.asarray(table[f"{name}_share"]).T]
        for name, label in (("attribution", "|attribution|"), ("flux", "light"), ("pixels", "pixels"))
    }
    names, n = list(NAMES.values()), len(table)
    means = [mean_with_interval(np.asarray(table[name]), groups) for name in NAMES]
    spreads = [mean_with_interval(np.asarray(table[name]), groups, "rms") for name in NAMES]
    chances = [mean_with_interval(np.asarray(table[f"{name}_probability"]), groups) for name in NAMES]
    where = (
        f"{n} simulated mergers, one view of each encounter: share of the absolute integrated gradients of the "
        "margin of the class merger, of the noiseless light and of the pixels (of all bands) where most of the light "
        "is of the primary, of the companion, or beyond the former edge of both disks, and where nothing is brighter "
        "than one sigma of the sky. The gradients start from the true sky of each stamp. Bars: 95 % intervals, which "
        "resample encounters."
    )
    what = (
        f"{n} simulated mergers: change of the margin of the class merger when parts of the noiseless scene are left "
        "out and the noise stays, mean (left) and root mean square (right), with 95 % intervals, which resample "
        "encounters."
    )
    rows = [
        [name, str(mean["n"]), _text(mean), _text(chance)] for name, mean, chance in zip(names, means, chances)
    ]
    draw_shares = partial(share_bars, regions, shares, f"{n} simulated mergers")
    draw_responses = partial(response_points, names, means, spreads, "margin", f"{n} simulated mergers")
    header = ["change", "mergers", "mean change of the margin", "of the probability of a merger"]
    return [
        Entry(SECTION, "known_truth_shares", where, draw_shares),
        Entry(SECTION, "known_truth_responses", what, draw_responses),
        Entry(SECTION, html=html.table(header, rows, "Changes with 95 % intervals.")),
    ]


def _text(score):
    low, high = score["interval"]
    return f"{score['value']:+.2f} ({low:+.2f} to {high:+.2f})"
