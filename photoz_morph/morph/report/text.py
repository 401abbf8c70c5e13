"""Text and tables of the morphology report: first screen, Table 1, the comparison of the arms, labels, provenance.

Each function takes scores by the name of their run, or `MorphResults`, and returns pieces of HTML or plain text.
"""

import numpy as np

from photoz_morph.mocks.labels import CLASS_NAMES
from photoz_morph.morph.report.tables.scores import (
    COMPARISON_HEADER,
    baseline_caption,
    baseline_verdicts,
    baseline_words,
    comparison_rows,
    morph_verdicts,
    seeds_rows,
    table1_caption,
    table1_header,
    table1_rows,
    truths_rows,
)
from photoz_morph.report import html
from photoz_morph.report.page import Overview
from photoz_morph.report.text import DATA_NAMES, count, with_error, with_interval
from photoz_morph.runs.scores import ORIGINS
from photoz_morph.system.provenance import provenance_of

NOT_THE_SKY = "Nothing on this page is a measurement of the sky."
BANNERS = {
    "simulated": f"Simulated galaxies with known truth: mock LSST images of stand-in galaxies. {NOT_THE_SKY} They are "
    "not the galaxies of the papers either: their scores allow the same comparison, but are not the same numbers.",
    "tng": f"Simulated galaxies with known truth: mock LSST images of galaxies of the TNG simulations. {NOT_THE_SKY}",
    "images": f"Simulated galaxies: mock LSST images of noiseless images given by the user. {NOT_THE_SKY}",
    "released": f"Simulated galaxies: the mock LSST images of TNG100 released by Ciprijanovic et al. {NOT_THE_SKY}",
    "observed": "Real galaxies. Their labels are those of the catalogue.",
    "composites": "Simulated galaxies with known truth, with which the networks were trained, and real galaxies, whose "
    "labels of the catalogue entered no training. Only the scores called real are measurements of the sky.",
}
TITLES = {
    "simulated": "Simulated stand-in galaxies with known truth",
    "tng": "Simulated TNG galaxies with known truth",
    "images": "Simulated observations of given images",
    "released": "Simulated TNG100 galaxies of the authors",
    "observed": "Real galaxies",
    "composites": "Simulated and real galaxies",
}


def overview(results, figures):
    """First screen: cost of one-year noise and how much of it the second arm recovers, accuracies of all arms.

    Parameters
    ----------
    results : MorphResults
    figures : tuple of str
        Names of the entries shown.

    Returns
    -------
    Overview
    """
    scores = results.scores
    numbers = {
        f"{run}, accuracy in {domain}": with_error(of_domain["mean"]["accuracy"])
        for run, part in (scores | first_baseline(results)).items()
        for domain, of_domain in part["domains"].items()
    }
    if len(scores) == 1:
        (part,) = scores.values()
        numbers[f"drop from {' to '.join(part['domains'])}"] = with_error(part["fall"])
        numbers[f"always {part['majority']['class']}, accuracy"] = f"{part['majority']['accuracy']:.3f}"
    seeds = sorted({part["n_seeds"] for part in (scores | first_baseline(results)).values()})
    errors = "the test galaxies alone" if seeds == [1] else "test galaxies and seeds"
    note = (
        f"Mean over {' or '.join(map(str, seeds))} seed{'s' * (seeds != [1])} on {sample_size(scores)} "
        f"({results.data}); ± is the standard error over {errors}."
    )
    sentences = [_verdict(results)]
    for part in list(results.baselines.values())[:1]:
        sentences += [baseline_words(comparison) for comparison in part["comparisons"].values()]
    return Overview(" ".join(sentences), numbers, note, figures)


def first_baseline(results):
    """Scores of the first baseline by its name, the one trained as the networks are; empty if there is none."""
    return {name: part["scores"] for name, part in list(results.baselines.items())[:1]}


def _verdict(results):
    """Cost of one-year noise for the first run, and the part of it recovered by the second, in a sentence."""
    first, part = next(iter(results.scores.items()))
    where = f"{part['n_galaxies']:,} {results.data}"
    low, high = (100 * bound for bound in part["fall"]["interval"])
    points = f"{100 * part['fall']['value']:.1f} points"
    bounds = f"(95 % interval {low:.1f} to {high:.1f})"
    cause = "The step to the real sky" if results.origin == "composites" else "One-year noise"
    cost = f"{cause} costs {first} {points} of accuracy {bounds} on {where}"
    if low <= 0:
        cost = f"{cause} costs {first} no significant accuracy on {where}: {points} {bounds}"
    if not results.comparison:
        return f"{cost}."
    second, recovered = results.comparison["arms"][1], results.comparison["recovered"]
    if recovered is None:
        target, of_target = list(results.comparison["domains"].items())[-1]
        difference = of_target["difference"]
        low, high = (100 * bound for bound in difference["interval"])
        change = f"{100 * difference['value']:+.1f} points ({low:+.1f} to {high:+.1f})"
        return f"{cost}; {second} changes the accuracy in {target} by {change}."
    low, high = (100 * bound for bound in recovered["interval"])
    text = f"{100 * recovered['value']:.0f} % of it ({low:.0f} to {high:.0f} %)"
    return f"{cost}; {second} recovers {text}{'' if low > 0 else ', which is not significant'}."


def sample_size(scores):
    """Number of test galaxies and groups, for captions."""
    first = next(iter(scores.values()))
    return f"{first['n_galaxies']:,} test galaxies in {first['n_groups']:,} groups"


def score_parts(scores, comparison=None, baselines=None, baseline_note=""):
    """Verdicts, Table 1, the comparison, every seed and other truths; arguments as in `MorphResults`."""
    baselines = baselines or {}
    first = next(iter(scores.values()))
    data = DATA_NAMES[first["data"]]
    parts = [html.paragraph(_drop(run, part)) for run, part in scores.items()]
    if comparison:
        parts += [html.paragraph(sentence) for sentence in morph_verdicts(comparison)]
    for part in baselines.values():
        for each in part["comparisons"].values():
            parts += [html.paragraph(sentence) for sentence in baseline_verdicts(each)]
    everything = scores | {name: part["scores"] for name, part in baselines.items()}
    caption = f"Table 1. {table1_caption(everything)}{baseline_caption(everything)}"
    parts.append(html.table(table1_header(everything), table1_rows(everything), caption))
    if baseline_note:
        parts.append(html.paragraph(f"No {'other ' if baselines else ''}baseline is compared: {baseline_note}."))
    if comparison:
        arms = dict(zip(("first", "second"), comparison["arms"]))
        header = [arms.get(name, name) for name in COMPARISON_HEADER]
        caption = (
            f"Table 2. Accuracy of {comparison['arms'][1]} minus {comparison['arms'][0]} on the same "
            f"{comparison['n_galaxies']:,} {data}, mean over seeds. The interval includes the test galaxies, resampled "
            "by groups, and the scatter of both arms' seeds. p: McNemar's exact test of the ensembles, galaxy by "
            "galaxy, and with one vote for each group."
        )
        parts.append(html.table(header, comparison_rows(comparison), caption))
    caption = f"Table 3. Accuracy of every seed on {data}, with 95 % intervals."
    parts.append(html.table(table1_header(scores, "seed"), seeds_rows(scores), caption))
    rows = truths_rows(scores)
    if rows:
        caption = f"Table 4. Accuracy on {data} against truths other than the labels the networks were trained on."
        parts.append(html.table(table1_header(scores, "truth"), rows, caption))
    return tuple(parts)


def _drop(run, part):
    """Loss of accuracy of a run from the first domain to the second, in a sentence."""
    (source, first), (target, second) = part["domains"].items()
    drop, seeds = part["fall"], count(part["n_seeds"], "seed")
    low, high = (100 * value for value in drop["interval"])
    return (
        f"{run} ({part['model']}, adaptation {part['adaptation']}, {seeds}): accuracy "
        f"{with_interval(first['mean']['accuracy'])} on {source} and {with_interval(second['mean']['accuracy'])} on "
        f"{target} of {DATA_NAMES[part['data']]}, a drop of "
        f"{100 * drop['value']:.1f} points ({low:.1f} to {high:.1f})."
    )


def count_failed(sample):
    """Sentence on the number of galaxies of a sample without a label."""
    failed = int(np.sum(np.asarray(sample["label"]) < 0))
    return f"{failed:,} without label {'is' if failed == 1 else 'are'} left out."


def label_parts(sample):
    """Labels against the intended type of the simulation, and against those from g."""
    label = np.asarray(sample["label"])
    parts = []
    for key, name in (("intended_type", "intended type"), ("label_g", "label from g")):
        other = np.asarray(sample[key])
        known = (label >= 0) & (other >= 0)
        if not known.any():
            continue
        table = np.zeros((len(CLASS_NAMES), len(CLASS_NAMES)), int)
        np.add.at(table, (other[known], label[known]), 1)
        rows = [[row_name, *(f"{number:,}" for number in row)] for row_name, row in zip(CLASS_NAMES, table)]
        same = np.trace(table) / table.sum()
        caption = f"Rows: {name}; columns: label from i; {known.sum():,} galaxies, in agreement for {100 * same:.1f} %."
        parts.append(html.table((name, *CLASS_NAMES), rows, caption))
    return parts


def provenance(results):
    """Origin of data and networks, and the configuration of each run."""
    parts = []
    for run in results.runs:
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
            **provenance_of(table.meta),
            "epochs of each seed": ", ".join(str(len(rows)) for rows in histories) or "unknown",
            "training time": f"{seconds / 60:.1f} min in total",
            **run.get("facts", {}),
        }
        parts += [html.facts(rows), html.code(run["config"])]
    return tuple(parts)
