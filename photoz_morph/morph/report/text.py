"""The words and tables of the morphology report: Table 1, the comparison of the arms, labels and provenance.

Each function takes scores by the name of their run, or the `results` of `morph_report`, and returns pieces of HTML or
plain text.
"""

import numpy as np

from photoz_morph.mocks.labels import CLASS_NAMES
from photoz_morph.morph.report.tables.scores import (
    COMPARISON_HEADER,
    DATA_NAMES,
    HEADER,
    comparison_rows,
    morph_verdicts,
    seeds_rows,
    table1_caption,
    table1_rows,
    truths_rows,
)
from photoz_morph.report import html
from photoz_morph.report.text import count, with_interval
from photoz_morph.runs.scores import ORIGINS

NOT_THE_SKY = "Nothing on this page is a measurement of the sky."
BANNERS = {
    "simulated": f"Simulated galaxies with known truth: mock LSST images of stand-in galaxies. {NOT_THE_SKY} They are "
    "not the galaxies of the papers either: their scores show the same comparison, not the same numbers.",
    "tng": f"Simulated galaxies with known truth: mock LSST images of galaxies of the TNG simulations. {NOT_THE_SKY}",
    "images": f"Simulated galaxies: mock LSST images of noiseless images given by the user. {NOT_THE_SKY}",
    "released": f"Simulated galaxies: the mock LSST images of TNG100 released by Ciprijanovic et al. {NOT_THE_SKY}",
    "observed": "Real galaxies. Their labels are those of the catalogue.",
}
TITLES = {
    "simulated": "Simulated stand-in galaxies with known truth",
    "tng": "Simulated TNG galaxies with known truth",
    "images": "Simulated observations of given images",
    "released": "Simulated TNG100 galaxies of the authors",
    "observed": "Real galaxies",
}


def title(origin):
    """What the galaxies are, as it stands in every figure and caption."""
    return TITLES[origin]


def sample_size(scores):
    """Number of test galaxies and groups, as it stands in captions."""
    first = next(iter(scores.values()))
    return f"{first['n_galaxies']:,} test galaxies in {first['n_groups']:,} groups"


def score_parts(scores, comparison=None):
    """Verdicts, Table 1, the comparison, every seed and other truths."""
    first = next(iter(scores.values()))
    data = DATA_NAMES[first["data"]]
    parts = [html.paragraph(_fall(run, part)) for run, part in scores.items()]
    if comparison:
        parts += [html.paragraph(sentence) for sentence in morph_verdicts(comparison)]
    parts.append(html.table(HEADER, table1_rows(scores), f"Table 1. {table1_caption(scores)}"))
    if comparison:
        arms = dict(zip(("first", "second"), comparison["arms"]))
        header = [arms.get(name, name) for name in COMPARISON_HEADER]
        caption = (
            f"Table 2. Accuracy of {comparison['arms'][1]} minus {comparison['arms'][0]} on the same "
            f"{comparison['n_galaxies']:,} {data}, mean over seeds. The interval holds the test galaxies, redrawn by "
            "groups, and the scatter of both arms' seeds. p: McNemar's exact test of the ensembles, galaxy by galaxy, "
            "and with one vote for each group."
        )
        parts.append(html.table(header, comparison_rows(comparison), caption))
    caption = f"Table 3. Accuracy of every seed on {data}, with 95 % intervals."
    parts.append(html.table(("training", "seed", "Y10", "Y1"), seeds_rows(scores), caption))
    rows = truths_rows(scores)
    if rows:
        caption = f"Table 4. Accuracy on {data} where another truth is asked for than the networks were trained on."
        parts.append(html.table(("training", "truth", "Y10", "Y1"), rows, caption))
    return tuple(parts)


def _fall(run, part):
    """What a run loses from Y10 to Y1, in a sentence."""
    fall, seeds = part["fall"], count(part["n_seeds"], "seed")
    low, high = (100 * value for value in fall["interval"])
    return (
        f"{run} ({part['model']}, adaptation {part['adaptation']}, {seeds}): accuracy "
        f"{with_interval(part['domains']['Y10']['mean']['accuracy'])} on Y10 and "
        f"{with_interval(part['domains']['Y1']['mean']['accuracy'])} on Y1 of {DATA_NAMES[part['data']]}, a fall of "
        f"{100 * fall['value']:.1f} points ({low:.1f} to {high:.1f})."
    )


def count_failed(sample):
    """How many galaxies of a sample have no label."""
    failed = int(np.sum(np.asarray(sample["label"]) < 0))
    return f"{failed:,} without label {'is' if failed == 1 else 'are'} left out."


def label_parts(sample):
    """Labels against the type the simulation aimed at, and against those from g."""
    label = np.asarray(sample["label"])
    parts = []
    for key, name in (("intended_type", "type aimed at"), ("label_g", "label from g")):
        other = np.asarray(sample[key])
        known = (label >= 0) & (other >= 0)
        if not known.any():
            continue
        table = np.zeros((len(CLASS_NAMES), len(CLASS_NAMES)), int)
        np.add.at(table, (other[known], label[known]), 1)
        rows = [[row_name, *(f"{number:,}" for number in row)] for row_name, row in zip(CLASS_NAMES, table)]
        same = np.trace(table) / table.sum()
        caption = f"Rows: {name}; columns: label from i; {known.sum():,} galaxies, the same in {100 * same:.1f} %."
        parts.append(html.table((name, *CLASS_NAMES), rows, caption))
    return parts


def provenance(results):
    """Where everything came from, and the config of each run."""
    parts = []
    for run in results["runs"]:
        table, histories = run["table"], run["histories"]
        seconds = sum(row.get("seconds", 0.0) for rows in histories for row in rows)
        rows = {
            "run": run["name"],
            "config": table.meta["config"],
            "network": table.meta["model"],
            "adaptation": table.meta["adaptation"],
            "seeds": table.meta["n_seeds"],
            "origin": f"{table.meta['origin']} ({ORIGINS[table.meta['origin']]})",
            "survey": table.meta["survey"],
            "epochs of each seed": ", ".join(str(len(rows)) for rows in histories) or "unknown",
            "training time": f"{seconds / 60:.1f} min in all",
            **run.get("facts", {}),
        }
        parts += [html.facts(rows), html.code(run["config"])]
    return tuple(parts)
