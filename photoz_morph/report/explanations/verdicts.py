"""Faithfulness as tables: the checks of each method beside its maps, and a warning where one fails."""

import html as escaping

import numpy as np

from photoz_morph.report import html

NAMES = {
    "completeness": "completeness error", "removal": "removal gain", "fidelity": "MuFidelity",
    "randomisation": "after random weights", "agreement": "agreement of members",
}  # fmt: skip


def measured(table):
    """Checks in the table of a method: dict of str to ndarray, shape (n,)."""
    return {name: np.asarray(table[name], float) for name in NAMES if name in table.colnames}


def verdict_table(verdicts, caption):
    """Table of the medians of the checks, a row for each method, with what each fails.

    Parameters
    ----------
    verdicts : dict of str to Verdict
        By title of the method.
    caption : str

    Returns
    -------
    str
    """
    shown = [name for name in NAMES if any(name in found.medians for found in verdicts.values())]
    rows = []
    for title, found in verdicts.items():
        cells = [_number(found.medians.get(name)) + "!" * (name in found.failed) for name in shown]
        rows.append([title, *cells, "faithful" if found.is_faithful else "NOT faithful"])
    return html.table(["method", *(NAMES[name] for name in shown), "verdict"], rows, caption)


def warnings(verdicts):
    """A banner with the warnings of the methods that fail; nothing where none does."""
    lines = [line for found in verdicts.values() for line in found.warnings]
    if not lines:
        return ""
    return f'<div class="banner">{"<br>".join(escaping.escape(f"Warning: {line}.") for line in lines)}</div>'


def _number(value):
    return "" if value is None else f"{value:.2f}" if np.isfinite(value) else "none"
