"""Latent distances as text: the paper's Table 2 for any number of runs, raw and scale-free, and verdicts on the ratios.

Takes the dictionaries of `morph latent` by the name of the run and the paired ratios of
`latent_scores.compare_latents`, and returns rows, Markdown and sentences.
"""

from photoz_morph.morph.report.tables.attacks import attack_label, budget
from photoz_morph.report.text import markdown_table

DISTANCES = {
    "y10_y1": "Y10 - Y1, all",
    "y10_y1_flipped": "Y10 - Y1, flipped",
    "attacked": "{base} - one-pixel",
    "needed": "{base} - border on that way",
}
UNITS = {"raw": "latent unit", "per_separation": "class separation", "per_spread": "class width"}


def latent_header(latents):
    """Column titles of `latent_rows`."""
    first, *others = latents
    return ["unit", "distance", *latents, *(f"{run} / {first}" for run in others)]


def latent_rows(latents, ratios):
    """Latent distances, a column for each run: the rows of the paper's table, then in units of the class separation
    and of the width of the classes, as text.

    Parameters
    ----------
    latents : dict of str to dict
        From `latent_run`, by the name of the run.
    ratios : dict of str to dict
        From `compare_latents` of each run but the first with the first.

    Returns
    -------
    list of list of str
        Mean ± standard deviation over galaxies (standard error), and the paired ratios with 95 % intervals.

    Notes
    -----
    Ciprijanovic et al. (2021), Table 2: the rows "Y10 - Y1, flipped" and "Y10 - one-pixel" in latent units.
    """
    rows, (_, *others) = [], latents
    bases = " or ".join(dict.fromkeys(part["attack"]["domain"] for part in latents.values() if part["attack"]))
    for unit, title in UNITS.items():
        known = [name for name in DISTANCES if any(part["lengths"][name] for part in latents.values())]
        for number, name in enumerate(known):
            cells = [_distance_text(part, name, unit) for part in latents.values()]
            cells += [_ratio_text(ratios.get(run), name, unit) for run in others]
            rows.append([title if number == 0 else "", DISTANCES[name].format(base=bases), *cells])
    return rows


def _distance_text(latent, name, unit):
    """A mean distance with its standard deviation and, in brackets, its standard error."""
    part = latent["lengths"][name]
    if part is None:
        return "–"
    ruler = latent["scale"][unit.removeprefix("per_")]["value"] if unit != "raw" else 1.0
    mean, deviation, error = part[unit]["value"], part["standard_deviation"] / ruler, part[unit]["error"]
    digits = 1 if unit == "raw" and mean >= 10 else 2
    text = f"{mean:.{digits}f} ± {deviation:.{digits}f}"
    return text if error is None else f"{text} ({error:.{digits + 1}f})"


def _ratio_text(ratios, name, unit):
    """The ratio of a distance of two runs with its interval."""
    part = ratios and ratios[name]
    if not part:
        return "–"
    value, bounds = part[unit]["value"], part[unit]["interval"]
    return f"{value:.2f}" if bounds is None else f"{value:.2f} ({bounds[0]:.2f} to {bounds[1]:.2f})"


def latent_caption(latents, data):
    """Caption of the table of latent distances.

    Parameters
    ----------
    latents : dict of str to dict
    data : str
        Such as "simulated galaxies".
    """
    of = []
    for run, part in latents.items():
        attack = part["attack"]
        of.append(f"{run}: {part['n_galaxies']:,} {data}")
        if attack:
            n_queries = budget({**attack, "classes": ",".join(part["classes"])})
            counts = f"{attack['n_flipped']:,} flipped of {attack['n_attacked']:,} attacked"
            of[-1] += f", {counts} ({attack_label(attack)}, up to {n_queries:,} queries)"
    return (
        f"Euclidean distances in the latent space of the first seed, mean ± standard deviation over galaxies (standard "
        f"error over groups). {'; '.join(of)}. Layout of Ciprijanovic et al. (2021), Table 2, whose distances are raw. "
        "Class separation: mean distance between the centroids of two classes; class width: root mean square distance "
        "from the centroid of its class. Ratios are of the same galaxies, with 95 % intervals over groups; both "
        "networks are held fixed, and other seeds may lie outside the intervals."
    )


def latent_markdown(latents, data, ratios):
    """The table of latent distances and the verdicts as Markdown; arguments as for its rows and caption."""
    table = markdown_table(latent_header(latents), latent_rows(latents, ratios))
    verdicts = [f"- {sentence}" for sentence in latent_verdicts(latents, ratios)]
    return "\n".join([f"**{latent_caption(latents, data)}**", "", *table, "", *verdicts]) + "\n"


def latent_verdicts(latents, ratios):
    """Sentences on whether distances in a run are longer than in the first, raw and in units of the class separation.

    Parameters
    ----------
    latents : dict of str to dict
    ratios : dict of str to dict
        From `compare_latents` of each run but the first with the first.

    Returns
    -------
    list of str
    """
    first, *others = latents
    sentences = []
    for run in others:
        for name, words in (("attacked", "to the attacked image"), ("y10_y1", "from Y10 to Y1")):
            part = ratios.get(run) and ratios[run][name]
            if not part or part["raw"]["interval"] is None:
                continue
            raw, scaled = (_ratio_text(ratios[run], name, unit) for unit in ("raw", "per_separation"))
            low, high = part["per_separation"]["interval"]
            outcome = f"{'longer' if low > 1 else 'shorter'} in {run}"
            if low <= 1 <= high:
                outcome = "the difference is not significant"
            sentences.append(
                f"The distance {words} is {raw} times as long in {run} as in {first}, raw, and {scaled} times in units "
                f"of the class separation ({part['n']:,} galaxies): scale-free, {outcome}."
            )
    return sentences


def seed_verdicts(latents, seed_ratios):
    """Sentences on the distance from Y10 to Y1 with the scatter of the seeds, which the ratios do not include.

    Parameters
    ----------
    latents : dict of str to dict
        From `latent_run`, by the name of the run; the first is the one compared with.
    seed_ratios : dict of str to dict
        From `latent_files.seed_ratio` of "y10_y1", by the name of the other run.

    Returns
    -------
    list of str
    """
    first = next(iter(latents))
    sentences = []
    for run, ratio in seed_ratios.items():
        value, bounds = ratio["per_separation"]["value"], ratio["per_separation"]["interval"]
        if bounds is not None:
            counts = [len(latents[name]["seeds"]) for name in (run, first)]
            sentences.append(
                f"Over {counts[0]} seeds of {run} and {counts[1]} of {first} the distance from Y10 to Y1 is "
                f"{value:.2f} ({bounds[0]:.2f} to {bounds[1]:.2f}) times as long in units of the class separation, "
                "including the scatter of the seeds."
            )
    return sentences
