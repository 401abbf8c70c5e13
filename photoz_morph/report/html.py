"""One self-contained HTML page, made of text, tables and pictures.

Nothing is fetched when the page is opened: pictures are embedded as base64, and there are no external fonts and no
scripts but that of `galaxy_map`. Every function escapes the text it is given and returns HTML; `page` puts the pieces
together. The page is laid out for wide and narrow screens, light and dark (pictures keep their white ground), and for
paper.
"""

import base64
import html
import struct
from dataclasses import dataclass

MANY_COLUMNS = 8  # tables with more are set smaller, to fit the page
# Plain text on the left, as captions and tables have it; symbols of the papers on the right.
SYMBOLS = {
    "sigma_MAD": "σ<sub>MAD</sub>", "z_phot": "<i>z</i><sub>phot</sub>", "z_spec": "<i>z</i><sub>spec</sub>",
    "eta [%]": "η [%]",
}  # fmt: skip

PAGE_SCALE = 0.72  # page pixels per pixel of a picture: letters of all figures have one size

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #ffffff; --faint: #5f6368; --line: #d5d5d5;
  --tint: #f3f5f7; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e4e4; --paper: #17191c; --faint: #a3a8ae; --line: #3a3f45; --tint: #22262b; }
}
body { font: 16px/1.55 Georgia, "Times New Roman", serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
h1, .verdict, p, figcaption, .banner { overflow-wrap: break-word; }
.banner { border-left: .4rem solid #D55E00; background: var(--tint); padding: .6rem 1rem; margin: 1rem 0; }
.banner.real { border-color: #0072B2; }
.verdict { font-size: 1.15rem; line-height: 1.4; margin: 1rem 0; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .6rem; margin: 1rem 0; }
.numbers div { background: var(--tint); padding: .5rem .8rem; }
.numbers dt { color: var(--faint); font-size: .85rem; }
.numbers dd { margin: 0; font-size: 1.05rem; font-variant-numeric: tabular-nums; }
.note { color: var(--faint); font-size: .85rem; margin: .4rem 0; }
.previews { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 0 1.2rem;
  align-items: end; }
.previews figure { margin: .6rem 0; min-width: 0; }
.previews figure img { max-height: 26rem; width: auto; margin: 0 auto; }
nav { font-size: .9rem; margin: 1.4rem 0; border-top: 1px solid var(--line); padding-top: .6rem; }
nav ol { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; list-style-position: inside; margin: 0; padding: 0; }
nav a { color: inherit; text-decoration: none; }
nav a:hover { text-decoration: underline; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .8rem 0; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { caption-side: top; text-align: left; font-size: .93rem; padding-bottom: .4rem; }
th, td { text-align: right; padding: .25rem .5rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tr.strong td { font-weight: bold; }
table.dense { font-size: .78rem; }
table.dense th, table.dense td { padding: .25rem .3rem; }
table.dense th:first-child, table.dense td:first-child { padding-left: 0; }
table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
figure { margin: 1rem 0 1.8rem; }
figure img { display: block; max-width: 100%; height: auto; background: #ffffff; border-radius: 3px; padding: .3rem;
  box-sizing: border-box; }
sub { line-height: 0; font-size: .75em; vertical-align: -.25em; }
figcaption { font-size: .93rem; margin-top: .5rem; }
.files { color: var(--faint); font-size: .85rem; white-space: nowrap; }
pre { background: var(--tint); padding: .7rem 1rem; font-size: .85rem; line-height: 1.4; white-space: pre-wrap;
  overflow-wrap: anywhere; }
footer { color: var(--faint); font-size: .85rem; margin-top: 3rem; border-top: 1px solid var(--line); }
@media print {
  :root { --ink: #000000; --paper: #ffffff; --tint: #f3f5f7; --line: #bbbbbb; --faint: #444444; }
  body { max-width: none; margin: 0; font-size: 10.5pt; }
  nav { display: none; }
  figure, table, .banner, .numbers { break-inside: avoid; }
  .numbers { grid-template-columns: repeat(4, 1fr); }
  .previews { grid-template-columns: 1fr 1fr; }
  figure img { max-height: 20cm; width: auto; padding: 0; }
  .previews figure img { max-height: 9cm; }
  .wide { overflow: visible; }
  .wide table { font-size: 7.5pt; }
  th, td { padding: .15rem .3rem; }
  h2 { break-after: avoid; }
}
"""


@dataclass(frozen=True)
class Section:
    """A heading and the HTML below it."""

    title: str
    parts: tuple


def prose(text):
    """Escaped text in which z_phot, z_spec and sigma_MAD are set as symbols."""
    escaped = html.escape(str(text))
    for plain, symbol in SYMBOLS.items():
        escaped = escaped.replace(plain, symbol)
    return escaped


def paragraph(text):
    """One paragraph."""
    return f"<p>{prose(text)}</p>"


def code(text):
    """Preformatted text in a box: commands, files."""
    return f"<pre>{html.escape(str(text))}</pre>"


def facts(rows):
    """A table of names and values, from a dict of str to object."""
    cells = (f"<tr><td>{prose(name)}</td><td>{html.escape(str(value))}</td></tr>" for name, value in rows.items())
    return f'<table class="facts">{"".join(cells)}</table>'


def table(header, rows, caption="", n_strong=0):
    """A table of text.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequence of str
    caption : str
    n_strong : int
        Number of rows at the end that are set in bold.

    Returns
    -------
    str
    """
    head = "".join(f"<th>{prose(cell)}</th>" for cell in header)
    lines = []
    for number, row in enumerate(rows):
        strong = ' class="strong"' if number >= len(rows) - n_strong else ""
        lines.append(f"<tr{strong}>" + "".join(f"<td>{prose(cell)}</td>" for cell in row) + "</tr>")
    caption = f"<caption>{prose(caption)}</caption>" if caption else ""
    dense = ' class="dense"' if len(header) > MANY_COLUMNS else ""
    return f'<div class="wide"><table{dense}>{caption}<tr>{head}</tr>{"".join(lines)}</table></div>'


def picture(png, name, number, caption):
    """A figure with its number, its caption and the names of its files.

    Parameters
    ----------
    png : bytes
    name : str
        Of the files beside the page, without suffix; also the anchor.
    number : int
    caption : str

    Returns
    -------
    str
    """
    files = f'<span class="files">{html.escape(name)}.png, {html.escape(name)}.pdf</span>'
    return (
        f'<figure id="{html.escape(name)}">{_image(png, caption)}'
        f"<figcaption><b>Figure {number}.</b> {prose(caption)} {files}</figcaption></figure>"
    )


def preview(png, name, number, caption):
    """A figure shown a second time, with the first sentence of its caption and a link to it; arguments of `picture`."""
    link = f'<a href="#{html.escape(name)}">Figure {number}</a>'
    return f"<figure>{_image(png, caption)}<figcaption>{link}. {prose(_first_sentence(caption))}.</figcaption></figure>"


def _image(png, caption):
    """The element of a picture, in which the first sentence of the caption stands for it."""
    source = base64.b64encode(png).decode()
    (pixels,) = struct.unpack(">I", png[16:20])  # width in the header of a PNG
    width, alternative = round(PAGE_SCALE * pixels), html.escape(_first_sentence(caption))
    return f'<img alt="{alternative}" width="{width}" src="data:image/png;base64,{source}">'


def _first_sentence(caption):
    """A caption up to its first full stop."""
    return caption.partition(". ")[0].removesuffix(".")


def overview(verdict, numbers, note, previews):
    """First screen of a page.

    Parameters
    ----------
    verdict : str
        One sentence.
    numbers : dict of str to str
        Scores with their errors, by their names.
    note : str
        What the errors are.
    previews : list of str
        From `preview`.

    Returns
    -------
    str
    """
    cells = "".join(f"<div><dt>{prose(name)}</dt><dd>{prose(text)}</dd></div>" for name, text in numbers.items())
    return (
        f'<p class="verdict">{prose(verdict)}</p><dl class="numbers">{cells}</dl><p class="note">{prose(note)}</p>'
        f'<div class="previews">{"".join(previews)}</div>'
    )


def page(title, banner, is_real, overview, sections, footer):
    """The whole page.

    Parameters
    ----------
    title, banner, footer : str
        The banner says what the data are.
    is_real : bool
        Whether the data are of the sky; sets the colour of the banner.
    overview : str
        HTML between the banner and the contents.
    sections : list of Section

    Returns
    -------
    str
    """
    links = "".join(f'<li><a href="#part-{i}">{prose(section.title)}</a></li>' for i, section in enumerate(sections, 1))
    body = "".join(
        f'<section><h2 id="part-{i}">{i}. {prose(section.title)}</h2>{"".join(section.parts)}</section>'
        for i, section in enumerate(sections, 1)
    )
    kind = "banner real" if is_real else "banner"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<h1>{prose(title)}</h1><div class="{kind}">{prose(banner)}</div>{overview}'
        f'<nav aria-label="Contents"><ol>{links}</ol></nav>'
        f"{body}<footer><p>{prose(footer)}</p></footer></body></html>\n"
    )
