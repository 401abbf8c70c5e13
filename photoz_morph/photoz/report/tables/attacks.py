"""Table of attacks on redshifts, and what they say of ensemble and single network, in words."""

import numpy as np

from photoz_morph.metrics.redshifts.point_scores import ETA_THRESHOLD
from photoz_morph.photoz.robustness.scores import compare_victims, median_size, moved_fractions
from photoz_morph.report.text import count, markdown_table

LEVELS = {"electrons": (1e3, 1e4, 1e5), "sigma": (10.0, 100.0, 1000.0)}  # sizes of change in the table, our choice
UNITS = {"electrons": "e-", "sigma": "sky sigma"}
SEARCHES = {"gradient": "white box", "lattice": "black box", "random": "random hits"}
GOALS = {
    "z_phot": f"z_phot moved by more than {ETA_THRESHOLD} (1 + z_phot)",
    "interval": "z_spec outside the 68 % interval that held it",
}


def attack_label(meta):
    """Description of an attack from its meta, without the victim."""
    words = [GOALS[meta["criteria"]], SEARCHES[meta["search"]], f"up to {count(meta['n_hits'], 'pixel')}"]
    words += ["unseen by a cosmic-ray mask"] * bool(meta["unseen"])
    return ", ".join(words)


def victim_name(meta):
    """Name of what was attacked, such as "ensemble of 6"."""
    if meta["victim"] == "ensemble":
        calibrated = ", calibrated" if meta.get("calib_id") else ""
        return f"ensemble of {meta['n_member']}{calibrated}"
    return f"single network {meta['victim'].removeprefix('network')}"


def attack_header(size):
    """Titles of the columns of `attack_rows`."""
    moved = [f"moved by {level:,.0f} {UNITS[size]}" for level in LEVELS[size]]
    return ["attack", "on", "galaxies", *moved, f"median [{UNITS[size]}]", "caught", "queries"]


def attack_rows(attacks, size):
    """A row for each attack that makes this size small.

    Parameters
    ----------
    attacks : dict of str to Table
        By name, from `attack_files.read_attacks`.
    size : {"electrons", "sigma"}

    Returns
    -------
    list of list of str
    """
    rows = []
    for table in attacks.values():
        if table.meta["measure"] != size:
            continue
        moved = np.asarray(table["moved"], bool)
        caught = f"{np.sum(np.asarray(table['caught'])[moved]):,} of {moved.sum():,}"
        if "maximask" in table.meta:
            caught += f" (MaxiMask {table.meta['maximask']:,})"
        rows.append([
            attack_label(table.meta), victim_name(table.meta), f"{len(table):,}",
            *(percent(*values) for values in zip(*moved_fractions(table, size, LEVELS[size]))),
            _median_text(median_size(table, size)), caught,
            f"{np.mean(table['queries']):,.0f} + {np.mean(table['slopes']):,.0f}",
        ])  # fmt: skip
    return rows


def attack_caption(galaxies, size):
    """Caption of the table.

    Parameters
    ----------
    galaxies : str
        Such as "simulated SDSS galaxies".
    size : {"electrons", "sigma"}
    """
    what = {
        "electrons": "electrons of all hits together, of all exposures of the stack",
        "sigma": "the largest hit in standard deviations of the sky",
    }[size]
    return (
        f"Smallest changes found that move the redshifts of {galaxies}, one of each parent: {what}. A pixel is one of "
        "one band. Fractions in per cent with 95 % intervals, which resample parents. They are lower bounds: a better "
        "search may find smaller changes. Caught: changes that a mask as L.A.Cosmic's would have found. Queries: mean "
        "number of images given to the networks, and of gradients."
    )


def attack_verdicts(attacks):
    """A sentence for each attack on an ensemble and on a single network: which is harder to move.

    Parameters
    ----------
    attacks : dict of str to Table

    Returns
    -------
    list of str
    """
    sentences = []
    for name, table in attacks.items():
        if table.meta["victim"] != "ensemble":
            continue
        base, size = name.removesuffix("_ensemble"), table.meta["measure"]
        for other_name, other in attacks.items():
            if other_name.startswith(f"{base}_network") and other.meta["measure"] == size:
                sentences.append(_verdict(table, other, size))
    return sentences


def attack_markdown(attacks, galaxies):
    """The tables of attacks as Markdown; arguments as for `attack_rows` and `attack_caption`."""
    lines = []
    for size in dict.fromkeys(table.meta["measure"] for table in attacks.values()):
        caption = attack_caption(galaxies, size)
        lines += [f"**{caption}**", "", *markdown_table(attack_header(size), attack_rows(attacks, size)), ""]
    return "\n".join([*lines, *(f"- {sentence}" for sentence in attack_verdicts(attacks))]) + "\n"


def percent(value, low, high):
    """A fraction in per cent with its interval."""
    return f"{100 * value:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def _median_text(median):
    """A median and its interval as text; more than the largest change where half of the galaxies were not moved."""
    texts = [f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" for value in (median["value"], *median["interval"])]
    texts = [text if text != "inf" else "not moved" for text in texts]
    return f"{texts[0]} ({texts[1]} to {texts[2]})"


def _verdict(ensemble, single, size):
    """Sentence that compares an ensemble with a single network."""
    found = compare_victims(ensemble, single, size, LEVELS[size])
    index = int(np.argmax(np.abs(found["difference"])))
    value, low, high = (100 * found[name][index] for name in ("difference", "low", "high"))
    where = f"{LEVELS[size][index]:,.0f} {UNITS[size]}"
    if low > 0 or high < 0:
        words = f"the {'ensemble' if value > 0 else 'single network'} is harder to move"
    else:
        words = "neither is shown to be harder to move"
    ratio = f"{found['ratio']:.2g} times" if np.isfinite(found["ratio"]) else "an unknown factor times"
    more, sign = ("more", 1) if value >= 0 else ("fewer", -1)
    low, high = sorted((sign * low, sign * high))
    return (
        f"{attack_label(ensemble.meta)}: of {found['n_galaxies']:,} galaxies, {where} move {sign * value:.0f} % "
        f"({low:.0f} to {high:.0f}) {more} for the {victim_name(single.meta)} than for the "
        f"{victim_name(ensemble.meta)}: "
        f"{words}. In the median the {victim_name(ensemble.meta)} needs {ratio} the change; it needs more for "
        f"{found['harder'][0]:,} galaxies and less for {found['harder'][1]:,}."
    )
