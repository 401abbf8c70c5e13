"""Numbers, names and tables as text."""

from photoz_morph.system.provenance import code_version

DATA_NAMES = {kind: f"{kind} galaxies" for kind in ("simulated", "real", "simulated and real")}
SIGNIFICANT = 0.05  # p-value below which a difference is called significant; the usual choice
P_FLOOR = 1e-4  # smaller p-values depend on tails that no sample of ours tests


def count(number, noun):
    """A number and what it counts, in the plural where due."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def markdown_table(titles, rows):
    """Lines of a Markdown table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (titles, *rows)]
    return [lines[0], "|---" * len(titles) + "|", *lines[1:]]


def with_error(score):
    """A score and its standard error as text."""
    return f"{score['value']:.3f} ± {score['error']:.3f}"


def with_interval(score):
    """A score and its 95 % interval as text."""
    return f"{score['value']:.3f} ({score['interval'][0]:.3f} to {score['interval'][1]:.3f})"


def p_text(p_value, symbol=""):
    """Text of a p-value, two digits or "< 0.0001"; with a symbol an equation such as "p = 0.03"."""
    if p_value < P_FLOOR:
        return f"{symbol} < {P_FLOOR:.4f}".lstrip()
    return f"{symbol} = {p_value:.2g}" if symbol else f"{p_value:.2g}"


def made_from(*metas):
    """Sentences for the footer of a report: the code that wrote it, the networks and their training data.

    Parameters
    ----------
    *metas : dict
        Of the tables of predictions; `model_id` and `data_id` where known, see `system.provenance`.

    Returns
    -------
    str
    """
    sentences = [f"Code: photoz-morph {code_version()}."]
    for key, name in (("model_id", "Networks"), ("data_id", "Training data")):
        ids = list(dict.fromkeys(meta[key] for meta in metas if meta.get(key)))
        if ids:
            sentences.append(f"{name}: {', '.join(ids)}.")
    return " ".join(sentences)
