"""Entries of the morphology report on robustness: attacks, latent geometry, perturbations, depth and defences.

A section appears where a run has the data for it. Tables come from `robustness_tables`, figures from
`robustness_figures`.
"""

import numpy as np

from photoz_morph.morph.report.attack_choice import (
    all_attacks_of,
    attack_tables_of,
    chosen_attack,
    n_pixels,
    own_attacks,
    set_attacks_of,
)
from photoz_morph.morph.report.figures import attacks as attack_figures
from photoz_morph.morph.report.figures import perturbations as perturbation_figures
from photoz_morph.morph.report.figures.attack_gallery import attack_gallery, image_unit
from photoz_morph.morph.report.figures.attack_seeds import flips_of_every_seed
from photoz_morph.morph.report.figures.depth import accuracy_against_depth
from photoz_morph.morph.report.figures.pixel_sets import success_by_pixels
from photoz_morph.morph.report.latents import LATENT, latent_entries
from photoz_morph.morph.report.tables import attack_seeds, defences, pixel_sets
from photoz_morph.morph.report.tables import attacks as attack_tables
from photoz_morph.morph.report.tables import depth as depth_tables
from photoz_morph.morph.report.tables import latents as latent_tables
from photoz_morph.morph.report.tables.perturbations import (
    perturbation_caption,
    perturbation_header,
    perturbation_markdown,
    perturbation_rows,
    perturbation_verdicts,
)
from photoz_morph.report import html
from photoz_morph.report.page import Entry

ATTACK, SETS, PERTURB, DEFENCE = "One-pixel attack", "Attack on few pixels", "Perturbations", "Defences"
SEEDS, DEPTH = "Attacks on every network", "Survey depth"
SECTIONS = (ATTACK, SETS, SEEDS, LATENT, PERTURB, DEPTH, DEFENCE)
FIRST_TABLE = 5  # the tables before are those of the scores


def robustness_tables(results):
    """Verdicts and tables of each section.

    Parameters
    ----------
    results : MorphResults

    Returns
    -------
    entries : list of Entry
        In the order of `SECTIONS`.
    files : dict of str to str
        Markdown by file name.
    """
    runs, data = results.runs, results.data
    entries, files = [], {}
    attacks, latents, perturbations = attack_tables_of(runs), _held(runs, "latent"), _held(runs, "perturbations")

    def add_sentences(section, sentences):
        entries.extend(Entry(section, caption=sentence) for sentence in sentences)

    def add_table(section, header, rows, caption):
        number = FIRST_TABLE + sum(bool(entry.html) for entry in entries)
        entries.append(Entry(section, html=html.table(header, rows, f"Table {number}. {caption}")))

    if attacks:
        add_sentences(ATTACK, attack_tables.attack_verdicts(attacks))
        caption = attack_tables.attack_caption(attacks, data)
        add_table(ATTACK, attack_tables.ATTACK_HEADER, attack_tables.attack_rows(attacks), caption)
        name, chosen = chosen_attack(attacks)
        label = attack_tables.attack_label(next(iter(chosen.values())).meta)
        caption = f"Classes of the flipped {data} before and after ({label}); fractions with 95 % intervals."
        add_table(ATTACK, *attack_tables.class_rows(chosen), caption)
        files["attacks.md"] = attack_tables.attack_markdown(attacks, data)
    sets = set_attacks_of(runs)
    if sets:
        caption = pixel_sets.set_caption(sets, data)
        add_table(SETS, pixel_sets.SET_HEADER, pixel_sets.set_rows(sets), caption)
        files["pixel_sets.md"] = pixel_sets.set_markdown(sets, data)
    every = all_attacks_of([*runs, *results.others])
    if attack_seeds.attacks_by_seed(every):
        add_sentences(SEEDS, attack_seeds.seed_verdicts(every))
        caption = attack_seeds.seed_caption(every, data)
        add_table(SEEDS, attack_seeds.SEED_HEADER, attack_seeds.seed_rows(every), caption)
        files["attack_seeds.md"] = attack_seeds.seed_markdown(every, data)
    if latents:
        ratios = results.latents.ratios
        add_sentences(LATENT, latent_tables.latent_verdicts(latents, ratios))
        add_sentences(LATENT, latent_tables.seed_verdicts(latents, results.seed_ratios))
        rows = latent_tables.latent_rows(latents, ratios)
        caption = latent_tables.latent_caption(latents, data)
        add_table(LATENT, latent_tables.latent_header(latents), rows, caption)
        files["latent_distances.md"] = latent_tables.latent_markdown(latents, data, ratios)
    if perturbations:
        add_sentences(PERTURB, perturbation_verdicts(perturbations))
        caption = perturbation_caption(perturbations, data)
        add_table(PERTURB, perturbation_header(perturbations), perturbation_rows(perturbations), caption)
        files["perturbations.md"] = perturbation_markdown(perturbations, data)
    depths = _held([*runs, *results.others], "depth")
    if depths:
        add_sentences(DEPTH, depth_tables.depth_verdicts(depths))
        caption = depth_tables.depth_caption(depths, data)
        add_table(DEPTH, depth_tables.depth_header(depths), depth_tables.depth_rows(depths), caption)
        files["depth.md"] = depth_tables.depth_markdown(depths, data)
    compared = defences_of(runs, results.others)
    if len(compared) > 1:
        caption = defences.defence_caption(compared, data)
        add_table(DEFENCE, defences.DEFENCE_HEADER, defences.defence_rows(compared), caption)
        files["defences.md"] = defences.defence_markdown(compared, caption)
    return entries, files


def robustness_figures(results, title):
    """Figures of the attacks, the latent geometry, the perturbations and the depths.

    Parameters
    ----------
    results : MorphResults
    title : str
        Name of the galaxies, in every figure and caption.

    Returns
    -------
    list of Entry
    """
    return [*_attack_figures(results.runs, title), *_set_figures(results.runs, title),
            *_seed_figures([*results.runs, *results.others], title), *latent_entries(results, title),
            *_perturbation_figures(results.runs, title, results.perturbed),
            *_depth_figures([*results.runs, *results.others], title)]  # fmt: skip


def defences_of(runs, others=()):
    """Arguments of `defences.defence_rows`, of the runs that were attacked or measured, and of all others."""
    attacks = attack_tables_of([*runs, *others])
    name, chosen = chosen_attack(attacks)
    compared = {}
    for run in [*runs, *others]:
        of_run = attacks.get(run["name"], {})
        # The attack chosen comes first, then the same behind other defences, whatever their names.
        tables = [of_run[key] for key in sorted(of_run, key=lambda key: key != name)]
        wanted = next(iter(chosen.values())).meta if chosen else {}
        tables = [table for table in tables if _is_attack_but_defence(table.meta, wanted)]
        if of_run or run.get("latent") or any(run is other for other in others):
            kept = {key: run.get(key) for key in ("scores", "latent", "defended")}
            compared[run["name"]] = {**kept, "attack": tables}
    return compared


def _is_attack_but_defence(meta, other):
    """True for attacks that differ at most in the defence and the number of the attacked network."""
    first, second = (attack_seeds.settings_but_seed({**part, "defence": ""}) for part in (meta, other))
    return first == second


def _held(runs, key):
    """Values of runs under a key, by their names."""
    return {run["name"]: run[key] for run in runs if run.get(key)}


def _attack_figures(runs, title):
    """Figures of the attacks."""
    attacks = attack_tables_of(runs)
    if not attacks:
        return []
    figures = [Entry(
        ATTACK, "attack_success",
        f"{title}: fraction of the attacked galaxies whose class changes with one pixel. It is plotted against the "
        "number of images classified by the network (queries) before the flip is confirmed, up to the budget. Bands: "
        "68 % intervals (Wilson; galaxies of a group count as one). Dashed: random pixels set to the lowest or highest "
        "value of each band.",
        lambda: attack_figures.success_curves(attacks, title),
    )]  # fmt: skip
    name, chosen = chosen_attack(own_attacks(runs) or attacks)
    label = attack_tables.attack_label(next(iter(chosen.values())).meta)
    images = {run["name"]: run["attacks"][name][1] for run in runs if run["name"] in chosen}
    flipped = {run: table for run, table in chosen.items() if np.any(table["flipped"])}
    originals = {run: images[run]["original"] for run in flipped}
    figures.append(Entry(
        ATTACK, "attack_margins",
        f"{title}: {label}. Queries until the class changes against the margin before the attack, the logit of the "
        "label minus the next largest one. Triangles: not flipped within the budget (dotted). Logits of two runs have "
        "no common scale.",
        lambda: attack_figures.margin_queries(chosen, title),
    ))  # fmt: skip
    if not flipped:
        return [*figures, Entry(ATTACK, caption=f"No galaxy was flipped ({label}): no pixels to show.")]
    for number, (run, table) in enumerate(flipped.items(), 1):
        figures.append(_gallery(f"attack_gallery_{number}", run, table, images[run], f"{title}: {label}"))
    figures += [
        Entry(ATTACK, "attack_places",
              f"{title}: {label}. Positions of the pixels that changed a class, over the mean of the attacked images; "
              "their distance from the centre, and their brightness before the attack. Grey: all pixels, the "
              "expectation for random ones. A search stops at the first flip, so that its order of queries shows, too.",
              lambda: attack_figures.pixel_places(flipped, originals, title)),
        Entry(ATTACK, "attack_values",
              f"{title}: {label}. Change of the pixel in each band, in sigma of the sky noise of these images, and the "
              "combinations of brighter and darker bands, with 68 % intervals.",
              lambda: attack_figures.pixel_values(flipped, originals, title)),
    ]  # fmt: skip
    return figures


def _set_figures(runs, title):
    """Figure of the attacks by sets of pixels."""
    sets = set_attacks_of(runs)
    if not sets:
        return []
    figures = [Entry(
        SETS, "attack_pixels",
        f"{title}: fraction of the attacked galaxies whose class changes with one pixel or a few, against the queries "
        "before the flip is confirmed, a panel for each training and search. Bands: 68 % intervals (Wilson; galaxies "
        "of a group count as one).",
        lambda: success_by_pixels(sets, title),
    )]  # fmt: skip
    for number, run in enumerate((run for run in runs if run["name"] in sets), 1):
        flipped = {name: table for name, table in sets[run["name"]].items() if np.any(table["flipped"])}
        name = max(flipped, key=lambda name: n_pixels(flipped[name].meta), default=None)
        if name and n_pixels(flipped[name].meta) > 1:
            words = f"{title}: {attack_tables.attack_label(flipped[name].meta)}"
            stem = f"attack_pixels_gallery_{number}"
            figures.append(_gallery(stem, run["name"], flipped[name], run["attacks"][name][1], words, SETS))
    return figures


def _seed_figures(runs, title):
    """Figure of the attacks on several networks of a run."""
    attacks = all_attacks_of(runs)
    if not attack_seeds.attacks_by_seed(attacks):
        return []
    return [Entry(
        SEEDS, "attack_seeds",
        f"{title}: fraction of the attacked galaxies that was flipped. Large symbols: mean over networks, with bars of "
        "95 % over galaxies, in groups, and networks; small ones: the networks; open ones: random corners.",
        lambda: flips_of_every_seed(attacks, title),
    )]  # fmt: skip


def _gallery(stem, run, table, images, title, section=ATTACK):
    """Gallery of one run; a function of its own binds the run, which a lambda in a loop would not."""
    one = n_pixels(table.meta) == 1
    changed = "one pixel changed (circled)" if one else "a few pixels changed (circled)"
    change = "change of the pixel" if one else "mean change of the pixels"
    caption = (
        f"{title}, {run}. Galaxies drawn at random from those flipped, in turn from each pair of classes: the original "
        f"under its label, the image with {changed} under its predicted class, and a close-up of the "
        f"{'pixel' if one else 'first'}. Red, green and blue are i, r and g, with one arcsinh stretch. Below: {change} "
        f"[{image_unit(table.meta)}], queries, margin before and after."
    )
    return Entry(section, stem, caption, lambda: attack_gallery(table, images, f"{title}, {run}"))


def _perturbation_figures(runs, title, perturbed):
    """Figures of the perturbations."""
    perturbations = _held(runs, "perturbations")
    if not perturbations:
        return []
    first = next(iter(perturbations.values()))
    n_images, domain = first["settings"]["n_images"], first["settings"]["domain"]
    figures = [Entry(
        PERTURB, "perturbations",
        f"{title}: accuracy under each perturbation, {n_images:,} test images of {domain}. Severity increases to the "
        "right; its steps are our choice and drawn equally wide. Bars: 95 % intervals over galaxies, in groups, "
        "and networks.",
        lambda: perturbation_figures.accuracy_against_severity(perturbations, title),
    )]  # fmt: skip
    if perturbed:
        figures.append(Entry(
            PERTURB, "perturbation_sheet",
            f"{title}: one galaxy under every perturbation. Unperturbed on the left, severity increases to the right; "
            "one stretch for all. Where three pixels or fewer change, the first is circled.",
            lambda: perturbation_figures.perturbation_sheet(**perturbed, title=title),
        ))  # fmt: skip
    return figures


def _depth_figures(runs, title):
    """Figure of the accuracy against survey depth."""
    depths = _held(runs, "depth")
    if not depths:
        return []
    n_galaxies = len(next(iter(depths.values()))["galaxies"]["label"])
    return [Entry(
        DEPTH, "depth",
        f"{title}: accuracy against years of observation, {n_galaxies:,} test galaxies. Large symbols: mean over "
        "seeds, with bars of 95 % over galaxies, in groups, and networks; small circles: the seeds. Dotted: always the "
        "most frequent class. Labels are of Y10 images only.",
        lambda: accuracy_against_depth(depths, title),
    )]  # fmt: skip
