"""Choice of the attack shown in a figure: one that all runs have, behind each run's own defence."""

import numpy as np


def attack_tables_of(runs):
    """Attack tables without their images, dict of run to dict of attack to Table; runs without any are left out."""
    return {run["name"]: {name: table for name, (table, _) in run["attacks"].items()}
            for run in runs if run.get("attacks")}  # fmt: skip


def chosen_attack(attacks, domain=None):
    """The attack that figures of one attack show: held by most runs, of most galaxies, with most flips, in this order.

    Parameters
    ----------
    attacks : dict of str to dict of str to Table
        Of one run or more.
    domain : {"Y10", "Y1"}, optional
        Only attacks on images of this depth.

    Returns
    -------
    name : str or None
        None where there is no such attack.
    tables : dict of str to Table
        Its table in each run that has it.
    """
    rank = {}
    for of_run in attacks.values():
        for name, table in of_run.items():
            if domain in (None, table.meta["domain"]) and len(table):
                counts = np.array([1, len(table), np.sum(table["flipped"])])
                rank[name] = rank.get(name, 0) + counts
    if not rank:
        return None, {}
    name = max(sorted(rank), key=lambda name: tuple(rank[name]))
    return name, {run: of_run[name] for run, of_run in attacks.items() if name in of_run}


def own_attacks(runs):
    """Attacks on networks behind the run's own test-time defence, as `attack_tables_of` gives them."""
    own = {run["name"]: run["scores"].get("defence", "none") for run in runs}
    found = {run: {name: table for name, table in of_run.items() if table.meta.get("defence", "none") == own[run]}
             for run, of_run in attack_tables_of(runs).items()}  # fmt: skip
    return {run: of_run for run, of_run in found.items() if of_run}
