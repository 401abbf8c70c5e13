"""Attacks by sets of pixels as text: success and queries against the number of pixels, for each training and search."""

import numpy as np

from photoz_morph.morph.report.attack_choice import n_pixels
from photoz_morph.morph.report.tables.attacks import attack_label, budget, flipped_fraction, fraction_text
from photoz_morph.report.text import markdown_table

SET_HEADER = ("training", "attack", "pixels", "flipped", "random sets", "queries, flipped", "queries, all")


def ordered_sets(attacks):
    """Attacks of one training and one search side by side, by the number of pixels.

    Parameters
    ----------
    attacks : dict of str to dict of str to Table
        By the name of the run, then of the attack.

    Returns
    -------
    dict of (str, str) to list of Table
        By the name of the run and the label of the attack without its number of pixels.
    """
    found = {}
    for run, of_run in attacks.items():
        for table in of_run.values():
            label = attack_label({**table.meta, "pixels": 1})
            found.setdefault((run, label), []).append(table)
    return {key: sorted(tables, key=lambda table: n_pixels(table.meta)) for key, tables in found.items()}


def set_rows(attacks):
    """A row for each run, search and number of pixels, as text, in the columns of `SET_HEADER`.

    Parameters
    ----------
    attacks : dict of str to dict of str to Table

    Returns
    -------
    list of list of str
    """
    rows, named = [], None
    for (run, label), tables in ordered_sets(attacks).items():
        for number, table in enumerate(tables):
            flipped, queries = np.asarray(table["flipped"], bool), np.asarray(table["queries"])
            rows.append([
                "" if run == named else run, "" if number else label, f"{n_pixels(table.meta)}",
                f"{flipped.sum():,} of {len(table):,}, {fraction_text(flipped_fraction(table))}",
                fraction_text(flipped_fraction(table, "random_flipped")),
                f"{np.median(queries[flipped]):,.0f}" if flipped.any() else "none", f"{queries.mean():,.0f}",
            ])  # fmt: skip
            named = run
    return rows


def set_caption(attacks, data):
    """Caption of the table of attacks by sets of pixels.

    Parameters
    ----------
    attacks : dict of str to dict of str to Table
    data : str
        Name of the galaxies, such as "simulated galaxies".
    """
    budgets = sorted({budget(table.meta) for of_run in attacks.values() for table in of_run.values()})
    return (
        f"Attack by one pixel or a few on correctly classified test images of {data}, with up to "
        f"{' or '.join(f'{number:,}' for number in budgets)} queries (images classified by the network) each. "
        "Fractions in per cent with 95 % intervals (Wilson; galaxies of a group count as one). Random sets: as many "
        "random pixels set to the lowest or highest value of each band, at the same budget. Queries: median of the "
        "flipped galaxies, mean of all, including the queries that confirm a flip."
    )


def set_markdown(attacks, data):
    """The table of attacks by sets of pixels as Markdown; arguments as for `set_caption`."""
    lines = [f"**{set_caption(attacks, data)}**", "", *markdown_table(SET_HEADER, set_rows(attacks))]
    return "\n".join(lines) + "\n"
