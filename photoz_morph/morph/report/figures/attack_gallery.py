"""Attacked images beside the originals, with the pixels circled and their change in image units and sigma of the sky.

Takes a table and images of `attack_files.read_attack`, and returns a matplotlib Figure, made without pyplot.
"""

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.morph.report.figures.stretch import sky_sigma, stretch
from photoz_morph.morph.report.style import CLASS_COLOURS
from photoz_morph.morph.robustness.attack_files import attacked_pixels
from photoz_morph.report.style import BLACK, LIGHT_GREY

N_GALLERY = 8  # galaxies shown, our choice
ZOOM = 7  # [pixel] on each side of the attacked one


def attack_gallery(table, images, title):
    """Galaxies before and after an attack: the original, the attacked image, and a close-up of the pixel, or the first.

    Parameters
    ----------
    table : Table
        From `attack_files.read_attack`; one galaxy or more is flipped.
    images : dict of str to ndarray, shape (n, height, width, 3)
        `original` and `attacked`: g, r, i [`image_unit`].
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        `N_GALLERY` flipped galaxies, drawn at random, in turn from each pair of class before and after.

    Raises
    ------
    ValueError
        If no galaxy is flipped.
    """
    rows = _gallery_rows(table)
    original, attacked = (np.asarray(images[name]) for name in ("original", "attacked"))
    names, sigma = table.meta["classes"].split(","), sky_sigma(original)
    n_columns = min(2, len(rows))
    n_rows = -(-len(rows) // n_columns)
    height, below, above = 2.75 * n_rows + 0.6, 0.3, 0.15  # [inch]
    figure = Figure(figsize=(5.8 * n_columns, height), layout="constrained")
    # Room for the text below the images and for the title, which the layout ignores.
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.3, rect=(0, below / height, 1, 1 - (below + above) / height))
    panels = figure.subplots(n_rows, 3 * n_columns, squeeze=False).reshape(n_rows * n_columns, 3)
    for axes in panels.flat:
        axes.set_axis_off()
    before, after = (stretch(part[rows], original, colour=True) for part in (original, attacked))
    place_rows, place_columns, old, new = attacked_pixels(table[rows])
    places = np.stack([place_rows, place_columns], axis=-1)
    for triple, galaxy, first, second, own, change in zip(panels, table[rows], before, after, places, new - old):
        _draw_triple(triple, first, second, own)
        label, given = names[galaxy["label"]], names[galaxy["attacked_class"]]
        for axes, name in zip(triple, (label, given)):
            axes.set_title(name, fontsize=9, color=CLASS_COLOURS.get(name, BLACK), fontweight="bold")
        triple[2].set_title(f"row {own[0, 0]}, column {own[0, 1]}", fontsize=9)
        below_images = {"transform": triple[0].transAxes, "fontsize": 8, "va": "top"}
        text = triple[0].text(0, -0.04, _galaxy_text(galaxy, change, sigma, image_unit(table.meta)), **below_images)
        text.set_in_layout(False)  # or the layout would make the first image as wide as its text
    figure.text(0.5, 1 - 0.1 / height, title, ha="center", va="top", fontsize=12).set_in_layout(False)
    return figure


def image_unit(meta):
    """Unit of attacked images from the meta of their table: nJy, but unknown for the authors' arrays."""
    return "image unit" if meta["origin"] == "released" else "nJy"


def _gallery_rows(table):
    """Rows of flipped galaxies, random, in turn from each pair of classes."""
    flipped = np.flatnonzero(np.asarray(table["flipped"], bool))
    if len(flipped) == 0:
        raise ValueError(f"a gallery needs a flipped galaxy, got none of {len(table)}")
    flipped = np.random.default_rng(0).permutation(flipped)
    seen, turn = {}, []
    for row in flipped:
        pair = table["label"][row], table["attacked_class"][row]
        seen[pair] = seen.get(pair, 0) + 1
        turn.append((seen[pair], *pair, row))
    return [row for *_, row in sorted(sorted(turn)[:N_GALLERY], key=lambda entry: entry[1:])]


def _draw_triple(panels, before, after, places):
    """Original, attacked with the pixels circled, and the surroundings of the first."""
    row, column = places[0]
    for axes, picture in zip(panels, (before, after, after)):
        axes.imshow(picture, origin="lower", interpolation="nearest")
    circle = {"facecolors": "none", "edgecolors": "white", "linewidths": 1.1}
    panels[1].scatter(places[:, 1], places[:, 0], s=110, **circle)
    panels[2].set(xlim=(column - ZOOM - 0.5, column + ZOOM + 0.5), ylim=(row - ZOOM - 0.5, row + ZOOM + 0.5))
    panels[2].set_facecolor(LIGHT_GREY)
    panels[1].set(xlim=(-0.5, after.shape[1] - 0.5), ylim=(-0.5, after.shape[0] - 0.5))


def _galaxy_text(galaxy, changes, sigma, unit):
    """The mean change of each band in the image unit and in sigma of the sky, the queries it took, and the margins."""
    change = changes.mean(axis=0)
    own, sky = (", ".join(f"{value:+,.0f}" for value in part) for part in (change, change / sigma))
    margins = " to ".join(f"{galaxy[name]:.2f}" for name in ("margin_before", "margin_after"))
    queries = f"{galaxy['queries']:,} quer{'y' if galaxy['queries'] == 1 else 'ies'}"
    of_all = "" if len(changes) == 1 else f", mean of {len(changes)}"
    text = f"g, r, i: {own} {unit}{of_all}\n({sky} sky $\\sigma$)\n{galaxy['obj_id']}: {queries}, margin {margins}"
    return text.replace("-", "−")
