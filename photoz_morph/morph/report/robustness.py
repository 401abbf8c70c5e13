"""Sections of the morphology report on robustness: attacks, latent geometry, perturbations and defences.

Each section is there where a run has what it needs. Tables come from `robustness_text`, a dict of section to pieces of
HTML; figures from `robustness_figures`, as `morph_report` plans them: section, file name, caption, drawing.

A run is a dict as `morph_report` takes it, with, where there are any: `attacks`, a dict of name to (table, images) from
`attack_tables.read_attack`; `latent`, from `latent_run`; `perturbations`, from `perturb_run`; `defended`, a dict of
test-time defences other than the run's own to `scores` and `latent` behind them.
"""

import numpy as np

from photoz_morph.morph.report.attack_choice import attack_tables_of, chosen_attack, own_attacks
from photoz_morph.morph.report.figures import attacks as attack_figures
from photoz_morph.morph.report.figures import perturbations as perturbation_figures
from photoz_morph.morph.report.figures.attack_gallery import attack_gallery, image_unit
from photoz_morph.morph.report.latent_results import latent_ratios
from photoz_morph.morph.report.latents import LATENT, latent_plan
from photoz_morph.morph.report.tables import attacks as robustness_tables
from photoz_morph.morph.report.tables import defences
from photoz_morph.morph.report.tables import latents as latent_tables
from photoz_morph.morph.report.tables.perturbations import (
    perturbation_caption,
    perturbation_header,
    perturbation_markdown,
    perturbation_rows,
    perturbation_verdicts,
)
from photoz_morph.morph.report.tables.scores import DATA_NAMES
from photoz_morph.morph.robustness.latent_scores import is_same_attack
from photoz_morph.report import html
from photoz_morph.runs.scores import ORIGINS

ATTACK, PERTURB, DEFENCE = "One-pixel attack", "Perturbations", "Defences"
SECTIONS = (ATTACK, LATENT, PERTURB, DEFENCE)
FIRST_TABLE = 5  # the tables before are those of the scores


def robustness_text(runs, others=(), seed_ratios=None):
    """Tables and verdicts of each section.

    Parameters
    ----------
    runs : list of dict
    others : list of dict
        Further runs, shown in the table of defences only: `name`, `scores` and what there is of robustness.
    seed_ratios : dict of str to dict, optional
        From `latent_run.seed_ratio`, by the name of each run but the first.

    Returns
    -------
    html_parts : dict of str to list of str
        By section.
    files : dict of str to str
        Markdown by file name.
    """
    data = DATA_NAMES[ORIGINS[runs[0]["table"].meta["origin"]]]
    parts, files = {}, {}
    attacks, latents, perturbations = attack_tables_of(runs), _held(runs, "latent"), _held(runs, "perturbations")

    def add_table(section, header, rows, caption):
        number = FIRST_TABLE + sum(piece.count("<table") for pieces in parts.values() for piece in pieces)
        parts.setdefault(section, []).append(html.table(header, rows, f"Table {number}. {caption}"))

    if attacks:
        parts[ATTACK] = [html.paragraph(sentence) for sentence in robustness_tables.attack_verdicts(attacks)]
        caption = robustness_tables.attack_caption(attacks, data)
        add_table(ATTACK, robustness_tables.ATTACK_HEADER, robustness_tables.attack_rows(attacks), caption)
        name, chosen = chosen_attack(attacks)
        label = robustness_tables.attack_label(next(iter(chosen.values())).meta)
        caption = f"Which {data} are flipped, and into what ({label}); shares with 95 % intervals."
        add_table(ATTACK, *robustness_tables.class_rows(chosen), caption)
        files["attacks.md"] = robustness_tables.attack_markdown(attacks, data)
    if latents:
        ratios = latent_ratios(runs)
        sentences = latent_tables.latent_verdicts(latents, ratios)
        sentences += latent_tables.seed_verdicts(latents, seed_ratios or {})
        parts[LATENT] = [html.paragraph(sentence) for sentence in sentences]
        rows = latent_tables.latent_rows(latents, ratios)
        caption = latent_tables.latent_caption(latents, data)
        add_table(LATENT, latent_tables.latent_header(latents), rows, caption)
        files["latent_distances.md"] = latent_tables.latent_markdown(latents, data, ratios)
    if perturbations:
        parts[PERTURB] = [html.paragraph(sentence) for sentence in perturbation_verdicts(perturbations)]
        caption = perturbation_caption(perturbations, data)
        add_table(PERTURB, perturbation_header(perturbations), perturbation_rows(perturbations), caption)
        files["perturbations.md"] = perturbation_markdown(perturbations, data)
    entries = defence_entries(runs, others)
    if len(entries) > 1:
        caption = defences.defence_caption(entries, data)
        add_table(DEFENCE, defences.DEFENCE_HEADER, defences.defence_rows(entries), caption)
        files["defences.md"] = defences.defence_markdown(entries, caption)
    return parts, files


def robustness_figures(runs, title, pixel_windows=None, perturbed=None):
    """Section, file name, caption and drawing of each figure of robustness.

    Parameters
    ----------
    runs : list of dict
    title : str
        What the galaxies are; it stands in every figure and caption.
    pixel_windows : dict of str to ChurchWindow, optional
        Of the images of the galaxy of `latent_report.triplet_rows`, by the name of the run.
    perturbed : dict, optional
        One galaxy under every perturbation: `image`, `examples` and `kinds` of
        `perturbation_figures.perturbation_sheet`.

    Returns
    -------
    list of (str, str, str, callable)
    """
    return [
        *_attack_figures(runs, title), *latent_plan(runs, title, pixel_windows),
        *_perturbation_figures(runs, title, perturbed),
    ]  # fmt: skip


def defence_entries(runs, others=()):
    """What `defences.defence_rows` takes, of the runs that were attacked or measured, and of all others."""
    attacks = attack_tables_of([*runs, *others])
    name, chosen = chosen_attack(attacks)
    entries = {}
    for run in [*runs, *others]:
        of_run = attacks.get(run["name"], {})
        # The attack chosen comes first, then the same behind other defences, whatever their names.
        tables = [of_run[key] for key in sorted(of_run, key=lambda key: key != name)]
        tables = [table for table in tables if is_same_attack(table.meta, next(iter(chosen.values())).meta)]
        if of_run or run.get("latent") or any(run is other for other in others):
            kept = {key: run.get(key) for key in ("scores", "latent", "defended")}
            entries[run["name"]] = {**kept, "attack": tables}
    return entries


def _held(runs, key):
    """What runs hold under a key, by their names."""
    return {run["name"]: run[key] for run in runs if run.get(key)}


def _attack_figures(runs, title):
    """Figures of the attacks."""
    attacks = attack_tables_of(runs)
    if not attacks:
        return []
    figures = [(
        ATTACK, "attack_success",
        f"{title}. Share of the attacked galaxies whose class one pixel has changed, against the number of images "
        "shown to the network (queries) before it is confirmed, up to the budget. Bands: 68 % intervals (Wilson; "
        "galaxies of a group count as one). Dashed: random pixels with the lowest or highest value of each band.",
        lambda: attack_figures.success_curves(attacks, title),
    )]  # fmt: skip
    name, chosen = chosen_attack(own_attacks(runs) or attacks)
    label = robustness_tables.attack_label(next(iter(chosen.values())).meta)
    images = {run["name"]: run["attacks"][name][1] for run in runs if run["name"] in chosen}
    flipped = {run: table for run, table in chosen.items() if np.any(table["flipped"])}
    originals = {run: images[run]["original"] for run in flipped}
    figures.append((
        ATTACK, "attack_margins",
        f"{title}: {label}. Queries until the class changed against the margin before, the logit of the label less the "
        "next one. Triangles: not flipped within the budget (dotted). Logits of two runs have no common scale.",
        lambda: attack_figures.margin_queries(chosen, title),
    ))  # fmt: skip
    if not flipped:
        return [*figures, (ATTACK, "", f"No galaxy was flipped ({label}): no pixels to show.", None)]
    for number, (run, table) in enumerate(flipped.items(), 1):
        figures.append(_gallery(f"attack_gallery_{number}", run, table, images[run], f"{title}: {label}"))
    figures += [
        (ATTACK, "attack_places",
         f"{title}: {label}. The pixels that changed a class, over the mean of the attacked images; their distance "
         "from the centre, and how bright they were. Grey: all pixels, which random pixels would follow. A search "
         "stops at the first flip, so that the order in which it asks shows, too.",
         lambda: attack_figures.pixel_places(flipped, originals, title)),
        (ATTACK, "attack_values",
         f"{title}: {label}. Change of the pixel in each band, in sigma of the sky noise of these images, and which "
         "bands became brighter and darker together, with 68 % intervals.",
         lambda: attack_figures.pixel_values(flipped, originals, title)),
    ]  # fmt: skip
    return figures


def _gallery(stem, run, table, images, title):
    """The gallery of a run, which must not be drawn with the run of another turn of the loop."""
    caption = (
        f"{title}, {run}. Galaxies drawn at random from those flipped, in turn from each pair of classes: the original "
        "under its label, the image with one pixel changed (circled) under the class given to it, and the pixel from "
        "near by. i, r, g colours, one arcsinh stretch. Below: change of the pixel "
        f"[{image_unit(table.meta)}], queries, margin before and after."
    )
    return ATTACK, stem, caption, lambda: attack_gallery(table, images, f"{title}, {run}")


def _perturbation_figures(runs, title, perturbed):
    """Figures of the perturbations."""
    perturbations = _held(runs, "perturbations")
    if not perturbations:
        return []
    first = next(iter(perturbations.values()))
    n_images, domain = first["settings"]["n_images"], first["settings"]["domain"]
    figures = [(
        PERTURB, "perturbations",
        f"{title}, {n_images:,} test images of {domain}. Accuracy under each perturbation, from none to severe; steps "
        "of severity are our choice and drawn equally wide. Bars: 95 % intervals over galaxies, in groups, and "
        "networks.",
        lambda: perturbation_figures.accuracy_against_severity(perturbations, title),
    )]  # fmt: skip
    if perturbed:
        figures.append((
            PERTURB, "perturbation_sheet",
            f"{title}. One galaxy under every perturbation, unperturbed on the left, more severe to the right; one "
            "stretch for all. Where three pixels or fewer change, the first is circled.",
            lambda: perturbation_figures.perturbation_sheet(**perturbed, title=title),
        ))  # fmt: skip
    return figures
