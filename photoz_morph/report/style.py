"""Colours of the figures, and how they and the texts beside them are written.

Colours are Okabe & Ito's, told apart by colour-blind readers; lines of a figure also differ by dash or width, so that
it survives a black-and-white printer.
"""

from pathlib import Path

from photoz_morph.system.files import write_whole

BLUE, ORANGE, GREEN, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#000000", "#777777"  # Okabe & Ito (2008)
LIGHT_GREY = "#D0D0D0"


def save_figure(figure, path):
    """Write a figure to a temporary name, then rename it; the suffix (.png, .pdf) gives the format."""
    with write_whole(path) as part:
        figure.savefig(part, format=Path(path).suffix[1:], dpi=150)


def write_text(text, path):
    """Write text to a temporary name, then rename it."""
    with write_whole(path) as part:
        part.write_text(text, encoding="utf-8")
