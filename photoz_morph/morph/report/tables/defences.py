"""Table of defences: accuracy, flipped fraction and margins of runs."""

from photoz_morph.morph.report.tables.attack_seeds import OF_SEED, percent, seeds_fraction
from photoz_morph.morph.report.tables.attacks import DEFENCES, attack_label, flipped_fraction, fraction_text
from photoz_morph.report.text import markdown_table, with_error

DEFENCE_HEADER = ("training", "test-time defence", "accuracy Y10", "accuracy Y1", "fraction flipped", "random corners",
                  "margin Y10", "margin Y1")  # fmt: skip


def defence_rows(entries):
    """Defences side by side: a row for each run, and one for each other test-time defence it was evaluated with.

    Parameters
    ----------
    entries : dict of str to dict
        By the name of the run: `scores` from `evaluate_morph`; `attack`, tables of one attack on a network or more, of
        which the first behind each defence counts for each network, `latent`, from `latent_run`, and `defended`, of
        other test-time defences to `scores` and `latent`, where there are any.

    Returns
    -------
    list of list of str
        In the columns of `DEFENCE_HEADER`; "–" where it was not measured.
    """
    rows = []
    for run, entry in entries.items():
        own = entry["scores"].get("defence", "none")
        tables = {}
        for table in entry.get("attack") or []:
            of_defence = tables.setdefault(table.meta.get("defence", "none"), {})
            of_defence.setdefault(int(table.meta.get(OF_SEED, 1)), table)
        behind = {own: entry, **(entry.get("defended") or {})}
        for defence in dict.fromkeys([*behind, *tables]):
            accuracy, fractions, margins = ["–", "–"], ["–", "–"], ["–", "–"]
            if defence in behind:
                domains = behind[defence]["scores"]["domains"].values()
                accuracy = [with_error(part["mean"]["accuracy"]) for part in domains]
                latent = behind[defence].get("latent")
                margins = [_margin_text(latent, name) if latent else "–" for name in ("margin_y10", "margin_y1")]
            if defence in tables:
                kinds = ("flipped", "random_flipped")
                fractions = [_fraction(list(tables[defence].values()), kind) for kind in kinds]
            name = run if defence == own else ""
            rows.append([name, DEFENCES.get(defence, defence), *accuracy, *fractions, *margins])
    return rows


def _fraction(tables, kind):
    """Flipped fraction of one network, or the mean over several, with its interval."""
    if len(tables) == 1:
        return fraction_text(flipped_fraction(tables[0], kind))
    return f"{percent(seeds_fraction(tables, kind))}, {len(tables)} networks"


def _margin_text(latent, name):
    """A mean margin in units of the class separation with its standard error."""
    part = latent["lengths"][name]["per_separation"]
    return f"{part['value']:.3f}" + (f" ± {part['error']:.3f}" if part["error"] is not None else "")


def defence_caption(entries, data):
    """Caption of the table of defences; arguments as for `defence_rows` and `attack_caption`."""
    label = next((attack_label(table.meta | {"defence": "none", OF_SEED: 1}) for entry in entries.values()
                  for table in entry.get("attack") or []), None)  # fmt: skip
    attacked = f" Fraction flipped by one pixel ({label}) and by random corners, with 95 % intervals, of one network " \
        "or, where it is said, of several." if label else ""
    first = next(iter(entries.values()))["scores"]
    return (
        f"Defences on {first['n_galaxies']:,} {data}. Accuracy: mean over seeds ± standard error.{attacked} Margin: "
        "mean distance of a latent from the nearest border of its predicted class, in units of the class separation, "
        "first seed. –: not measured."
    )


def defence_markdown(entries, caption):
    """The table of defences as Markdown under a caption; `entries` as for `defence_rows`."""
    return "\n".join([f"**{caption}**", "", *markdown_table(DEFENCE_HEADER, defence_rows(entries))]) + "\n"
