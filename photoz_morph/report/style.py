"""Colours and legends of the figures, and the writing of figures and text files.

Colours are those of Okabe & Ito, distinct for colour-blind readers; lines of a figure also differ by dash or width, so
that it can be printed in black and white.
"""

from pathlib import Path

from matplotlib.ticker import LogLocator, StrMethodFormatter

from photoz_morph.system.files import write_whole

BLUE, ORANGE, GREEN, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#000000", "#777777"  # Okabe & Ito (2008)
LIGHT_GREY = "#D0D0D0"


def legend_below(figure, marks, n_columns, fontsize=9, **options):
    """One legend below all panels of a figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        With the constrained layout.
    marks : dict of str to artist, or list of artist with labels
    n_columns, fontsize : int
    **options
        Further keywords of `Figure.legend`.
    """
    artists = (list(marks.values()), list(marks)) if isinstance(marks, dict) else ()
    handles = {} if artists else {"handles": marks}
    figure.legend(*artists, **handles, loc="outside lower center", ncols=n_columns, frameon=False, fontsize=fontsize,
                  **options)  # fmt: skip


def marks_of(axes):
    """Artists of a panel by their labels."""
    return {label: artist for artist, label in zip(*axes.get_legend_handles_labels())}


def logarithmic_x(axes):
    """Give an x axis a logarithmic scale, with plain numbers at 1, 2 and 5 of each decade, which do not overlap."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter("")


def save_figure(figure, path):
    """Write a figure to a temporary name, then rename it; the suffix (.png, .pdf) gives the format."""
    with write_whole(path) as part:
        figure.savefig(part, format=Path(path).suffix[1:], dpi=150)


def write_text(text, path):
    """Write text to a temporary name, then rename it."""
    with write_whole(path) as part:
        part.write_text(text, encoding="utf-8")
