"""Choice of the attacks shown: of one pixel, common to all runs, behind each run's own defence; or of any number."""

import numpy as np

from photoz_morph.morph.robustness.latent_scores import SETTINGS


def attack_tables_of(runs):
    """Tables of one-pixel attacks, dict of run to dict of attack to Table; runs without any are left out."""
    return _tables_where(runs, lambda meta: n_pixels(meta) == 1)


def all_attacks_of(runs):
    """Tables of all attacks, as `attack_tables_of` gives them."""
    return _tables_where(runs, lambda meta: True)


def set_attacks_of(runs):
    """Tables of the attacks by sets of pixels, and by one with the same settings, as `attack_tables_of` gives them."""
    settings = {_settings(table.meta) for run in runs for table, _ in (run.get("attacks") or {}).values()
                if n_pixels(table.meta) > 1}  # fmt: skip
    return _tables_where(runs, lambda meta: _settings(meta) in settings)


def n_pixels(meta):
    """Number of pixels that an attack may change, from the meta of its table, which earlier versions left out."""
    return int(meta.get("pixels", 1))


def _settings(meta):
    """What attacks that differ in the number of pixels only have in common."""
    return tuple(str(meta.get(name)) for name in (*SETTINGS, "defence"))


def _tables_where(runs, is_wanted):
    """Tables of the attacks whose meta are wanted, without the images."""
    found = {run["name"]: {name: table for name, (table, _) in run["attacks"].items() if is_wanted(table.meta)}
             for run in runs if run.get("attacks")}  # fmt: skip
    return {run: of_run for run, of_run in found.items() if of_run}


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
