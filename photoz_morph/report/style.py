"""Colours of the figures, and how they and the texts beside them are written.

Colours are Okabe & Ito's, told apart by colour-blind readers; lines of a figure also differ by dash or width, so that
it survives a black-and-white printer.
"""

from pathlib import Path

BLUE, ORANGE, GREEN, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#000000", "#777777"  # Okabe & Ito (2008)
LIGHT_GREY = "#D0D0D0"


def save_figure(figure, path):
    """Write a figure to a temporary name, then rename it; the suffix (.png, .pdf) gives the format."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.part")
    figure.savefig(temporary, format=path.suffix[1:], dpi=150)
    temporary.replace(path)


def write_text(text, path):
    """Write text to a temporary name, then rename it."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
