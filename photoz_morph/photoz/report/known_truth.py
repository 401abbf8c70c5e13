"""Section of the gallery on simulated galaxies whose truth is known: where the network looks, and what moves it."""

from functools import partial

import numpy as np

from photoz_morph.metrics.group_errors import mean_with_interval
from photoz_morph.report import html
from photoz_morph.report.explanations.responses import response_points, share_bars
from photoz_morph.report.page import Entry

SECTION = "Known truth: what the network looks at, and what moves it"
NAMES = {
    "without_neighbours": "neighbours removed", "face_on": "disk turned face-on, light kept",
    "edge_on": "disk turned edge-on, light kept", "face_on_with_dust": "disk turned face-on, with its dust",
    "edge_on_with_dust": "disk turned edge-on, with its dust", "dust_told": "E(B-V) + 0.05 told, not in the pixels",
    "dust_in_pixels": "E(B-V) + 0.05 in the pixels, not told", "dust_in_both": "E(B-V) + 0.05 told and in the pixels",
    "moved_1": "moved by 1 pixel", "moved_2": "moved by 2 pixels",
}  # fmt: skip


def known_truth(table, kind="simulated"):
    """Entries of the section.

    Parameters
    ----------
    table : Table
        From `explanation.known_truth.measure_known_truth`.
    kind : str
        Of the galaxies.

    Returns
    -------
    list of Entry
    """
    groups, regions = np.asarray(table["group_id"]), table.meta["regions"].split(",")
    shares = {
        label: [mean_with_interval(values, groups) for values in np.asarray(table[f"{name}_share"]).T]
        for name, label in (("attribution", "|attribution|"), ("flux", "light"), ("pixels", "pixels"))
    }
    changes = [name for name in table.colnames if name in NAMES or name.endswith("_of_another")]
    names = [NAMES.get(name, f"band {name.split('_')[1]} of another galaxy") for name in changes]
    means = [mean_with_interval(np.asarray(table[name]), groups) for name in changes]
    spreads = [mean_with_interval(np.asarray(table[name]), groups, "rms") for name in changes]
    n = len(table)
    where = (
        f"{n} {kind} galaxies: share of the absolute integrated gradients, of the noiseless light and of the pixels "
        "(of all bands) where the noiseless bulge or spheroid, the rest of the galaxy, neighbours, or nothing is "
        "brighter than one sigma of the sky. The gradients start from the true sky of each stamp at E(B-V) 0. Bars: "
        "95 % intervals, which resample parents."
    )
    what = (
        f"{n} {kind} galaxies: change of the answer when one thing is changed and the redshift and the noise stay, "
        "mean (left) and root mean square (right), with 95 % intervals, which resample parents. A network that knew "
        "all would not move, but for dust in the pixels of which it is not told, and for a band of another galaxy."
    )
    rows = [
        [name, str(mean["n"]), _text(mean), _text(spread)] for name, mean, spread in zip(names, means, spreads)
    ]
    draw_shares = partial(share_bars, regions, shares, f"{n} {kind} galaxies")
    draw_responses = partial(response_points, names, means, spreads, "redshift", f"{n} {kind} galaxies")
    return [
        Entry(SECTION, "known_truth_shares", where, draw_shares),
        Entry(SECTION, "known_truth_responses", what, draw_responses),
        Entry(SECTION, html=html.table(["change", "galaxies", "mean", "root mean square"], rows,
                                       "Changes of the redshift, with 95 % intervals.")),
    ]  # fmt: skip


def _text(score):
    low, high = score["interval"]
    return f"{score['value']:+.4f} ({low:+.4f} to {high:+.4f})"
