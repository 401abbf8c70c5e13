"""Attacks by one pixel or a few as text: rows, Markdown and verdicts on which run is harder to flip.

Takes attack tables of `attack_files.read_attack` by run and by name of the attack. Fractions have Wilson intervals with
an effective number of galaxies, (sum of m)^2 / sum of m^2 over groups of m galaxies (Kish 1965, Sec. 8.2, for perfectly
correlated members of a group).
"""

import numpy as np

from photoz_morph.metrics.fractions import effective_number, wilson_interval
from photoz_morph.metrics.group_errors import mcnemar_of_groups
from photoz_morph.morph.robustness.latent_scores import is_same_attack
from photoz_morph.report.text import SIGNIFICANT, markdown_table, p_text
from photoz_morph.robustness.one_pixel.attack import AttackOptions

BOUNDS = {  # kind of the bounds of an attack -> words
    "data": "data range", "paper": "0 to 1 of the paper", "sigma": "within {} sky sigma", "electrons": "up to {} e-",
}  # fmt: skip
DEFENCES = {"none": "none", "d4": "mean over flips and rotations", "median": "3 x 3 median"}
ATTACK_HEADER = ("training", "attack", "flipped", "random corners", "queries, flipped", "queries, all", "margin")


def budget(meta):
    """Maximum number of queries per galaxy, from the meta of an attack; each target has `max_queries`."""
    return int(meta["max_queries"]) * (len(meta["classes"].split(",")) - 1 if meta["targeted"] else 1)


def search_queries(table, kind="flipped"):
    """Queries of the search, or of random corners, int, shape (n,), without confirmations, which no budget limits."""
    queries = np.asarray(table[kind.replace("flipped", "queries")]) - np.asarray(table[kind], int)
    if kind == "flipped":
        return queries - np.asarray(table["unconfirmed"])
    return np.minimum(queries, budget(table.meta))  # unconfirmed flips of random corners are not in the table


def flipped_fraction(table, kind="flipped"):
    """Fraction of the attacked galaxies that was flipped: dict of value, interval [low, high], and n, galaxies."""
    value = float(np.mean(np.asarray(table[kind], bool)))
    low, high = wilson_interval(value, effective_number(table["group_id"]))
    return {"value": value, "interval": [float(low), float(high)], "n": len(table)}


def attack_label(meta):
    """Description of an attack from its meta: search, depth, bounds, and deviations from `AttackOptions`."""
    kind, _, number = str(meta["bounds"]).partition(":")
    words = [meta["search"], meta["domain"], BOUNDS[kind].format(number), *["targeted"] * bool(meta["targeted"])]
    words += [f"{meta['pixels']} pixels"] if meta.get("pixels", 1) > 1 else []
    named = {name: getattr(AttackOptions, name) for name in ("objective", "success", "population")}
    words += [f"{name} {meta[name]}" for name, default in named.items() if meta.get(name, default) != default]
    if meta.get("seed_number", 1) != 1:
        words.append(f"network {meta['seed_number']}")
    if meta.get("defence", "none") != "none":
        words.append(f"defence {DEFENCES.get(meta['defence'], meta['defence'])}")
    return ", ".join(words)


def attack_rows(attacks):
    """A row for each run and attack, as text, in the columns of `ATTACK_HEADER`.

    Parameters
    ----------
    attacks : dict of str to dict of str to Table
        By the name of the run, then of the attack.

    Returns
    -------
    list of list of str
    """
    rows = []
    for run, of_run in attacks.items():
        for number, table in enumerate(of_run.values()):
            flipped, queries = np.asarray(table["flipped"], bool), np.asarray(table["queries"])
            to_flip = f"{np.median(queries[flipped]):,.0f}" if flipped.any() else "none"
            rows.append([
                run if number == 0 else "", attack_label(table.meta),
                f"{flipped.sum():,} of {len(table):,}, {fraction_text(flipped_fraction(table))}",
                fraction_text(flipped_fraction(table, "random_flipped")), to_flip,
                f"{queries.mean():,.0f}", f"{np.median(np.asarray(table['margin_before'], float)):.2f}",
            ])  # fmt: skip
    return rows


def attack_caption(attacks, data):
    """Caption of the table of attacks.

    Parameters
    ----------
    attacks : dict of str to dict of str to Table
    data : str
        Name of the galaxies, such as "simulated galaxies".
    """
    tables = [table for of_run in attacks.values() for table in of_run.values()]
    budgets = sorted({budget(table.meta) for table in tables})
    numbers = sorted({int(table.meta.get("pixels", 1)) for table in tables})
    kind = "One-pixel attack" if numbers == [1] else f"Attack by up to {' or '.join(map(str, numbers))} pixels"
    return (
        f"{kind} on correctly classified test images of {data}, with up to "
        f"{' or '.join(f'{number:,}' for number in budgets)} queries (images classified by the network) each. "
        "Fractions in per cent with 95 % intervals (Wilson; galaxies of a group count as one). Random corners: random "
        "pixels set to the lowest or highest value of each band, at the same budget. Queries: median of the flipped "
        "galaxies, mean of all, including the queries that confirm a flip, which are not limited by the budget. "
        "Margin: median before the attack [logit], not comparable between trainings."
    )


def attack_markdown(attacks, data):
    """The table of attacks as Markdown; arguments as for `attack_caption`."""
    lines = [f"**{attack_caption(attacks, data)}**", "", *markdown_table(ATTACK_HEADER, attack_rows(attacks))]
    return "\n".join([*lines, "", *(f"- {sentence}" for sentence in attack_verdicts(attacks))]) + "\n"


def compare_attacks(first, second):
    """Paired comparison of an attack on two runs: flips and queries of the galaxies attacked in both.

    Parameters
    ----------
    first, second : Table
        Of the same attack on two runs.

    Returns
    -------
    dict
        n_galaxies, n_queries (the smaller `budget`, up to which both are compared), flipped (number in each), and
        `flips` and `queries`, each from `group_errors.mcnemar_of_groups`: groups in which only the first resists more,
        or needs more queries, groups in which the second does, and the p-value. A galaxy that resists needs more
        queries than any that does not.
    """
    rows = [{key: row for row, key in enumerate(zip(table["obj_id"], table["copy"]))} for table in (first, second)]
    common = [key for key in rows[0] if key in rows[1]]
    n_queries = min(budget(table.meta) for table in (first, second))
    pair = [table[[of_table[key] for key in common]] for table, of_table in zip((first, second), rows)]
    flipped = [np.asarray(table["flipped"], bool) & (search_queries(table) <= n_queries) for table in pair]
    needed = [np.where(hit, search_queries(table), np.inf) for table, hit in zip(pair, flipped)]
    group = pair[0]["group_id"]
    votes = {"flips": [~hit for hit in flipped], "queries": [needed[0] > needed[1], needed[1] > needed[0]]}
    tests = {name: mcnemar_of_groups(*(vote[:, None] for vote in both), group) for name, both in votes.items()}
    return {"n_galaxies": len(common), "n_queries": n_queries, "flipped": [int(hit.sum()) for hit in flipped], **tests}


def attack_verdicts(attacks):
    """One sentence for each attack on the first run and, with the same settings, on another: which is harder to flip.

    Parameters
    ----------
    attacks : dict of str to dict of str to Table

    Returns
    -------
    list of str
    """
    sentences = []
    (first, of_first), *others = attacks.items()
    for run, of_run in others:
        for name in (name for name in of_first if name in of_run):
            pair = of_first[name], of_run[name]
            result = compare_attacks(*pair)
            if is_same_attack(*(table.meta for table in pair)) and result["n_galaxies"]:
                labels = dict.fromkeys(attack_label(table.meta) for table in pair)
                sentences.append(_verdict(" against ".join(labels), (first, run), result))
    return sentences


def _verdict(label, names, result):
    """Sentence on which of two runs is harder to flip; the flips decide, the queries are reported beside them."""
    where = f"{label}: of {result['n_galaxies']:,} galaxies attacked in both, {names[0]} is flipped in "
    hits = [f"{n:,}" for n in result["flipped"]]
    where += f"{hits[0]} and {names[1]} in {hits[1]} within {result['n_queries']:,} queries"
    test = result["flips"]
    p_values = f"p of the groups {p_text(test['p_value'])} for flips, which decide, "
    p_values += f"{p_text(result['queries']['p_value'])} for queries"
    if test["p_value"] >= SIGNIFICANT:
        return f"{where}; the difference is not significant ({p_values})."
    return f"{where}; {names[test['only_second'] > test['only_first']]} is harder to flip ({p_values})."


def class_rows(attacks):
    """Classes of the flipped galaxies before and after the attack: a row for each run and label, as text.

    Parameters
    ----------
    attacks : dict of str to Table
        By the name of the run.

    Returns
    -------
    header : list of str
    rows : list of list of str
    """
    names = next(iter(attacks.values())).meta["classes"].split(",")
    rows = []
    for run, table in attacks.items():
        label, flipped = np.asarray(table["label"]), np.asarray(table["flipped"], bool)
        for number, name in enumerate(names):
            of_class = label == number
            if of_class.any():
                given = np.bincount(np.asarray(table["attacked_class"])[of_class & flipped], minlength=len(names))
                cells = ["" if i == number else f"{count:,}" for i, count in enumerate(given)]
                rows.append(["" if rows and any(row[0] == run for row in rows) else run, name, f"{of_class.sum():,}",
                             fraction_text(flipped_fraction(table[of_class])), *cells])  # fmt: skip
    return ["training", "label", "galaxies", "fraction flipped", *(f"to {name}" for name in names)], rows


def fraction_text(fraction):
    """A fraction of `flipped_fraction` in per cent with its interval."""
    low, high = (100 * bound for bound in fraction["interval"])
    return f"{100 * fraction['value']:.0f} % ({low:.0f} to {high:.0f})"
