"""Section of the photo-z report on attacks: how small a change of the pixels moves the redshifts."""

from functools import partial

import numpy as np

from photoz_morph.photoz.report.figures.attacks import N_WORST, moved_curves, worst_galaxies
from photoz_morph.photoz.report.tables.attacks import (
    attack_caption,
    attack_header,
    attack_label,
    attack_markdown,
    attack_rows,
    attack_verdicts,
    victim_name,
)
from photoz_morph.photoz.robustness.attack_files import read_attacks
from photoz_morph.report import html
from photoz_morph.report.page import Entry

SECTION = "Attacks on redshifts"


def attacks(results, out_files):
    """Entries of the section; none for a run that was not attacked.

    Parameters
    ----------
    results : RunResults
    out_files : dict of str to str
        Gets the text of each file written beside the page.

    Returns
    -------
    list of Entry
    """
    try:
        found = read_attacks(results.run_dir)
    except (ValueError, OSError) as error:
        return [Entry(SECTION, caption=f"The attacks on this run cannot be read: {error}.")]
    if not found:
        return []
    tables = {name: table for name, (table, _) in found.items()}
    out_files["attacks.md"] = attack_markdown(tables, results.galaxies)
    entries = [Entry(SECTION, caption=sentence) for sentence in attack_verdicts(tables)]
    caption = (
        f"{results.title}: fraction moved by a change no larger than given, in electrons of all hits together (left) "
        "and in standard deviations of the sky of the largest hit (right). A hit is one pixel of one band, as a cosmic "
        "ray changes it. Shaded: 95 % intervals, which resample parents. The curves are lower bounds, as a better "
        "search may find smaller changes."
    )
    entries.append(Entry(SECTION, "moved_curves", caption, partial(moved_curves, tables, results.title)))
    name = next((name for name, table in tables.items() if np.any(table["moved"])), None)
    if name is not None:
        table, images = found[name]
        caption = (
            f"Galaxies moved by the smallest changes, up to {N_WORST} ({victim_name(table.meta)}: "
            f"{attack_label(table.meta)}): before, after with the changed pixels circled, and the PDFs with their 68 % "
            "intervals."
        )
        draw = partial(worst_galaxies, table, images, results.survey, results.grid, results.title)
        entries.append(Entry(SECTION, "worst_galaxies", caption, draw))
    for size in dict.fromkeys(table.meta["measure"] for table in tables.values()):
        rows = html.table(attack_header(size), attack_rows(tables, size), attack_caption(results.galaxies, size))
        entries.append(Entry(SECTION, html=rows))
    return entries
