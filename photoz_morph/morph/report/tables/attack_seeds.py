"""Attacks on several networks of a run as text: the flipped fraction, its mean over seeds, differences between runs.

Takes attack tables of `attack_files.read_attack` by run and by name of the attack. A mean over seeds has two components
of its error, as everywhere in the morphology scores: the galaxies, resampled by group over all networks at once, and
the scatter of the seeds.
"""

import numpy as np

from photoz_morph.metrics.group_errors import group_bootstrap, interval
from photoz_morph.morph.report.tables.attacks import attack_label
from photoz_morph.morph.robustness.latent_scores import SETTINGS
from photoz_morph.report.text import markdown_table

SEED_HEADER = ("training", "attack", "networks", "flipped", "each network", "random corners", "minus the first")
OF_SEED = "seed_number"


def attacks_by_seed(attacks):
    """Attacks that were made on two networks or more of a run, those of all its networks together.

    Parameters
    ----------
    attacks : dict of str to dict of str to Table
        By the name of the run, then of the attack.

    Returns
    -------
    dict of str to dict of str to list of Table
        By the label of the attack, then of the run, in the order of the networks. Of two attacks on a network that
        differ in their name alone the first counts.
    """
    found, labels = {}, {}
    for run, of_run in attacks.items():
        for table in of_run.values():
            key = settings_but_seed(table.meta)
            labels.setdefault(key, attack_label(table.meta | {OF_SEED: 1}))
            found.setdefault(key, {}).setdefault(run, {}).setdefault(int(table.meta.get(OF_SEED, 1)), table)
    return {
        labels[key]: {run: [by_seed[seed] for seed in sorted(by_seed)] for run, by_seed in of_key.items()}
        for key, of_key in found.items() if max(map(len, of_key.values())) > 1
    }  # fmt: skip


def settings_but_seed(meta):
    """What attacks on the networks of one run have in common."""
    names = (*(name for name in SETTINGS if name != OF_SEED), "defence")
    return (*(str(meta.get(name)) for name in names), int(meta.get("pixels", 1)))


def seeds_fraction(tables, kind="flipped"):
    """Fraction of the attacked galaxies that was flipped, mean over networks.

    Parameters
    ----------
    tables : list of Table
        One per network.
    kind : {"flipped", "random_flipped"}

    Returns
    -------
    dict
        value, error, interval [low, high] in the limits of a fraction, and `seeds`, that of each network. The galaxies
        of a single group have no error.
    """
    return _clipped(_mean([tables], [1.0], kind), 0.0) | {"seeds": _fractions(tables, kind)}


def seeds_difference(tables, reference):
    """Flipped fraction of a run minus that of another: value, error, interval; arguments as of `seeds_fraction`."""
    return _clipped(_mean([tables, reference], [1.0, -1.0], "flipped"), -1.0)


def seed_rows(attacks):
    """A row for each attack and run, as text, in the columns of `SEED_HEADER`; argument of `attacks_by_seed`."""
    rows = []
    for label, by_run in attacks_by_seed(attacks).items():
        first = next(iter(by_run.values()))
        for number, (run, tables) in enumerate(by_run.items()):
            found = seeds_fraction(tables)
            rows.append([
                run, label if number == 0 else "", str(len(tables)), percent(found),
                ", ".join(f"{100 * value:.0f}" for value in found["seeds"]),
                percent(seeds_fraction(tables, "random_flipped")),
                "" if number == 0 else percent(seeds_difference(tables, first), "+"),
            ])  # fmt: skip
    return rows


def seed_caption(attacks, data):
    """Caption of the table; `data` names the galaxies, such as "simulated galaxies"."""
    sizes = sorted({len(table) for by_run in attacks_by_seed(attacks).values() for tables in by_run.values()
                    for table in tables})  # fmt: skip
    numbers = " to ".join(f"{size:,}" for size in dict.fromkeys((sizes[0], sizes[-1])))
    return (
        f"Attacks on every network, {numbers} correctly classified test images of {data} each: fraction flipped in "
        "per cent, mean over networks with a 95 % interval over galaxies, resampled by group, and networks. The "
        "networks of one number in all trainings are attacked on the same galaxies."
    )


def seed_verdicts(attacks):
    """One sentence for each attack and run but the first: whether it is harder to flip over all its networks."""
    sentences = []
    for label, by_run in attacks_by_seed(attacks).items():
        (first, reference), *others = by_run.items()
        for run, tables in others:
            found = seeds_difference(tables, reference)
            low, high = found["interval"]
            word = "harder" if high < 0 else "easier"
            outcome = f"{run} is {word} to flip than {first}" if high < 0 or low > 0 else (
                f"{run} and {first} do not differ significantly"
            )  # fmt: skip
            n_networks = f"{len(tables)} against {len(reference)} networks"
            sentences.append(f"{label}: over {n_networks} {outcome}, {percent(found, '+')}.")
    return sentences


def seed_markdown(attacks, data):
    """The table and its verdicts as Markdown; "" if no attack was made on several networks."""
    rows = seed_rows(attacks)
    if not rows:
        return ""
    lines = [f"**{seed_caption(attacks, data)}**", "", *markdown_table(SEED_HEADER, rows), ""]
    return "\n".join([*lines, *(f"- {sentence}" for sentence in seed_verdicts(attacks))]) + "\n"


def percent(found, sign=""):
    """A fraction or difference in per cent with its interval."""
    low, high = (f"{100 * bound:{sign}.0f}" for bound in found["interval"])
    return f"{100 * found['value']:{sign}.0f} % ({low} to {high})"


def _fractions(tables, kind):
    """Flipped fraction of each network."""
    return [float(np.mean(np.asarray(table[kind], bool))) for table in tables]


def _mean(sets, signs, kind):
    """Signed sum of the means over networks of one set or two, with both components of its error."""
    rows = [
        (np.asarray(table[kind], float), np.asarray(table["group_id"]), np.full(len(table), place))
        for place, tables in enumerate(sets) for table in tables
    ]  # fmt: skip
    flipped, group_id, of_set = (np.concatenate(part) for part in zip(*rows))
    own = of_set[:, None] == np.arange(len(sets))
    terms, n_groups = np.concatenate([flipped[:, None] * own, own], axis=1), len(np.unique(group_id))
    components = []
    if n_groups > 1:

        def total(sums):
            n_sets = len(sets)
            return (sums[:, :n_sets] / np.maximum(sums[:, n_sets:], 1) * signs).sum(axis=1)

        components.append((float(group_bootstrap(total, terms, group_id).std(ddof=1)), n_groups - 1))
    values = [_fractions(tables, kind) for tables in sets]
    components += [
        (float(np.std(part, ddof=1) / np.sqrt(len(part))), len(part) - 1) for part in values if len(part) > 1
    ]
    return interval(sum(sign * np.mean(part) for sign, part in zip(signs, values)), components)


def _clipped(found, low):
    """A score whose interval ends at the limits of its values."""
    return found | {"interval": np.clip(found["interval"], low, 1.0).tolist()}
