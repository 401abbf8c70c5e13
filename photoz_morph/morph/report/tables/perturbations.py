"""Perturbed images as text: accuracy and flips under each kind, and the mean-corruption score against the first run.

Takes the dictionaries of `morph perturb` by the name of the run, and returns rows and Markdown.
"""

import numpy as np

from photoz_morph.morph.robustness.perturbation_scores import corruption_error
from photoz_morph.report.text import count, markdown_table


def perturbation_header(perturbations):
    """Column titles of `perturbation_rows`."""
    first, *others = perturbations
    return ["perturbation", *perturbations, *(f"{run} / {first}" for run in others)]


def perturbation_rows(perturbations):
    """A row for each kind and one for their mean, as text.

    Parameters
    ----------
    perturbations : dict of str to dict
        From `perturb_run`, by the name of the run.

    Returns
    -------
    list of list of str
        Mean over severities of the accuracy, in brackets the fraction of images whose predicted class differs from that
        of the unperturbed one; error over that of the first run (Hendrycks & Dietterich 2019), "–" where the two
        cannot be compared.
    """
    _, *others = perturbations
    errors = {run: _errors(perturbations, run) for run in others}
    kinds = list(dict.fromkeys(name for part in perturbations.values() for name in part["kinds"]))
    clean = [f"{part['clean']['accuracy']['value']:.3f}" for part in perturbations.values()]
    rows = [["none", *clean, *["–"] * len(others)]]
    for name in kinds:
        parts = [part["kinds"].get(name) for part in perturbations.values()]
        title = next(part["title"] for part in parts if part)
        ratios = [_ratio_text(errors[run] and errors[run]["kinds"].get(name)) for run in others]
        rows.append([title, *(_scores_text([part]) if part else "–" for part in parts), *ratios])
    common = [name for name in kinds if all(name in part["kinds"] for part in perturbations.values())]
    if common:
        means = [_scores_text([part["kinds"][name] for name in common]) for part in perturbations.values()]
        ratios = [_ratio_text(errors[run] and errors[run]["mean"]) for run in others]
        rows.append([f"mean of {count(len(common), 'kind')}", *means, *ratios])
    return rows


def perturbation_caption(perturbations, data):
    """Caption of the table of perturbations.

    Parameters
    ----------
    perturbations : dict of str to dict
    data : str
        Such as "simulated galaxies".
    """
    first, *others = perturbations
    part = perturbations[first]
    n_networks = sorted({len(run["settings"]["networks"]) for run in perturbations.values()})
    text = (
        f"Accuracy on {part['settings']['n_images']:,} test images of {data}, {part['settings']['domain']}, mean over "
        f"severities and over {' or '.join(map(str, n_networks))} networks; in brackets the fraction predicted as "
        "another class than the unperturbed image."
    )
    if others:
        text += (
            f" Ratios: error rate over that of {first}; their mean over kinds is the mean-corruption score "
            "of Hendrycks & Dietterich (2019); below 1 where the run is more accurate; 95 % intervals over groups of "
            "galaxies, at fixed networks."
        )
    return text


def perturbation_markdown(perturbations, data):
    """The table of perturbations with its verdicts as Markdown; arguments as for `perturbation_caption`."""
    table = markdown_table(perturbation_header(perturbations), perturbation_rows(perturbations))
    verdicts = [f"- {sentence}" for sentence in perturbation_verdicts(perturbations)]
    return "\n".join([f"**{perturbation_caption(perturbations, data)}**", "", *table, "", *verdicts]) + "\n"


def perturbation_verdicts(perturbations):
    """One sentence for each run but the first on whether perturbations cost it less accuracy than the first.

    Parameters
    ----------
    perturbations : dict of str to dict

    Returns
    -------
    list of str
        None for a run with other perturbations.
    """
    first, *others = perturbations
    sentences = []
    for run in others:
        errors = _errors(perturbations, run)
        if errors is None:
            continue
        own, reference = (100 * drop for drop in errors["falls"])
        low, high = (100 * bound for bound in errors["fall_difference"]["interval"])
        outcome = f"{run} loses {'more' if low > 0 else 'less'}"
        if low <= 0 <= high:
            outcome = "the difference is not significant"
        sentences.append(
            f"Averaged over kinds and severities, the accuracy of {first} drops by {reference:.1f} points below that "
            f"of its unperturbed images and that of {run} by {own:.1f}, a difference of {own - reference:+.1f} "
            f"({low:+.1f} to {high:+.1f}): {outcome}."
        )
    return sentences


def _errors(perturbations, run):
    """Errors of a run over those of the first, or None where their perturbations differ."""
    first = next(iter(perturbations.values()))
    try:
        return corruption_error(perturbations[run], first)
    except ValueError:  # other galaxies, seeds or severities: no ratio, but a row of its own for each run
        return None


def _scores_text(kinds):
    """Mean accuracy over severities, then kinds, and in brackets the fraction of flips."""
    means = [np.mean([np.mean([row[score]["value"] for row in kind["severities"]]) for kind in kinds])
             for score in ("accuracy", "flip_rate")]  # fmt: skip
    return f"{means[0]:.3f} ({100 * means[1]:.1f} %)"


def _ratio_text(part):
    """A ratio with its interval as text."""
    if not part or part["value"] is None:
        return "–"
    low, high = part["interval"]
    return f"{part['value']:.2f} ({low:.2f} to {high:.2f})"
