"""Entries of a report, written as one HTML page with its numbered figures beside it as PNG and PDF.

A report of either chain is a list of `Entry`s in the order of the page, and an `Overview` for its first screen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from photoz_morph.report import html
from photoz_morph.report.style import save_figure, write_text
from photoz_morph.system.locks import one_owner


@dataclass(frozen=True)
class Entry:
    """Part of a section: a figure where `draw` is given, else a piece of HTML, else the caption as a paragraph.

    Attributes
    ----------
    section : str
        Heading of the section; entries of one section need not follow each other.
    name : str
        Of a figure's files, without suffix.
    caption : str
    draw : callable, optional
        Returns the matplotlib Figure.
    html : str
    """

    section: str
    name: str = ""
    caption: str = ""
    draw: Callable | None = None
    html: str = ""


@dataclass(frozen=True)
class Overview:
    """First screen of a report.

    Attributes
    ----------
    verdict : str
        One sentence; says whether the galaxies are real or simulated.
    numbers : dict of str to str
        The scores that matter with their errors, by their names.
    note : str
        What the errors are and which galaxies were scored.
    figures : tuple of str
        Names of the entries whose figures are shown here, too.
    """

    verdict: str
    numbers: dict
    note: str
    figures: tuple


@one_owner("out_dir", "give another --out")
def write_page(entries, out_dir, *, title, banner, is_real, overview, footer, progress=True):
    """Draw the figures and write `report.html`.

    Parameters
    ----------
    entries : list of Entry
    out_dir : path-like
        Made if missing.
    title, banner : str
    is_real : bool
        Whether the galaxies are of the sky.
    overview : Overview
        Names of figures that no entry has are left out.
    footer : str
        Begins with the command that wrote the page, such as "Written by photoz report on {date}."
    progress : bool
        Show a progress bar over the figures.

    Returns
    -------
    Path
        The page.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    sections, drawn = {}, {}
    with tqdm(entries, desc="report", unit=" figures", disable=not progress) as bar:
        for entry in bar:
            piece = entry.html or html.paragraph(entry.caption)
            if entry.draw is not None:
                png, number = draw_and_save(entry.draw, out_dir / entry.name), len(drawn) + 1
                drawn[entry.name] = png, number, entry.caption
                piece = html.picture(png, entry.name, number, entry.caption)
            sections.setdefault(entry.section, []).append(piece)
    shown = [html.preview(png, name, number, caption)
             for name, (png, number, caption) in drawn.items() if name in overview.figures]  # fmt: skip
    text = html.page(
        title=title,
        banner=banner,
        is_real=is_real,
        overview=html.overview(overview.verdict, overview.numbers, overview.note, shown),
        sections=[html.Section(heading, tuple(pieces)) for heading, pieces in sections.items()],
        footer=footer.format(date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
    )
    write_text(text, out_dir / "report.html")
    return out_dir / "report.html"


def draw_and_save(draw, stem):
    """Draw a figure, write it as PNG and PDF beside the page, and return the bytes of the PNG."""
    figure = draw()
    save_figure(figure, stem.with_name(f"{stem.name}.pdf"))
    path = stem.with_name(f"{stem.name}.png")
    save_figure(figure, path)
    return path.read_bytes()
