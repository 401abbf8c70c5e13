"""Galaxies as points on a plane that a reader can explore: one piece of HTML with everything in it.

Pointing at a galaxy shows its image and its numbers, a click the galaxies most like it; colours are chosen from a list.
The images are tiles of one PNG, the points are drawn by the script of `map_script`, and nothing is fetched.
"""

import base64
import html
import io
import json

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.image import imsave

from photoz_morph.report.html import Section, page, prose
from photoz_morph.report.map_script import SCRIPT, STYLE
from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, ORANGE, write_text

TILE = 40  # side of an image in the page [pixel]: 2,000 galaxies have 5 MB
N_SHADES = 32
CATEGORIES = (BLUE, ORANGE, GREEN, BLACK, "#E69F00", "#56B4E9", "#CC79A7", "#F0E442")  # Okabe & Ito (2008)
RANGE = (2, 98)  # percentiles at the ends of a colour scale: one odd galaxy would take it all


def galaxy_map(name, positions, images, colours, texts, alike=None):
    """Map of galaxies as a piece of a page.

    Parameters
    ----------
    name : str
        Letters, digits, "-" and "_": the `id` of the map in the page.
    positions : ndarray, shape (n, 2)
        Right and up.
    images : ndarray, shape (n, rows, columns, 3)
        Colours between 0 and 1, as of `images.rgb`: rows grow to the north.
    colours : dict of str to array_like, shape (n,)
        What points can be coloured by, by its name: numbers, NaN where unknown, or names of classes, "" where unknown.
    texts : sequence of str
        What is said of each galaxy, in lines.
    alike : ndarray of int, shape (n, k), optional
        Galaxies most like each, by their rows here.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no galaxy or nothing to colour by, lengths differ, a position is not finite, or there are more
        classes than colours.
    """
    positions = np.asarray(positions, float)
    n = len(positions)
    _check(name, positions, images, colours, texts, alike)
    low, high = positions.min(axis=0), positions.max(axis=0)
    # One scale for both axes, so that distances are those of the plane.
    places = (positions - (low + high) / 2) / (max(high - low) or 1.0) + 0.5
    columns = int(np.ceil(np.sqrt(n)))
    content = {
        "x": places[:, 0].round(4).tolist(), "y": places[:, 1].round(4).tolist(), "tile": TILE, "columns": columns,
        "missing": GREY, "texts": [str(text) for text in texts],
        "alike": [[]] * n if alike is None else np.asarray(alike).tolist(),
        "colours": [_colour(title, values) for title, values in colours.items()],
        "sprite": f"data:image/png;base64,{base64.b64encode(_sprite(images, columns)).decode()}",
    }  # fmt: skip
    # A text must not end the block of the script it is in.
    block = json.dumps(content).replace("<", "\\u003c")
    return (
        f'<style>{STYLE}</style><div class="map" id="{html.escape(name)}">'
        '<div class="controls"><label>Colour: <select></select></label>'
        '<label><input type="checkbox"> images</label><span class="legend"></span>'
        '<span class="note">Wheel: zoom. Drag: move. Double click: all.</span></div>'
        f'<canvas role="img" aria-label="{n} galaxies on a plane"></canvas><div class="galaxy"></div>'
        f'<script type="application/json">{block}</script></div>'
        f"<script>{SCRIPT}galaxyMap({json.dumps(name)});</script>"
    )


def write_map_page(path, piece, title, banner, is_real, caption, footer):
    """Write a page with one map.

    Parameters
    ----------
    path : path-like
    piece : str
        From `galaxy_map`.
    title, banner, caption, footer : str
        The banner says what the galaxies are, the caption what the plane is.
    is_real : bool
        Whether the galaxies are of the sky.
    """
    section = Section("Map", (f"<p>{prose(caption)}</p>", piece))
    write_text(page(title, banner, is_real, "", [section], footer), path)


def _check(name, positions, images, colours, texts, alike):
    """Raise a ValueError for parts of other lengths, or no galaxy."""
    n = len(positions)
    if not name or not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"the map's name is {name!r}; give letters, digits, '-' and '_'")
    if not n or positions.shape != (n, 2) or not np.isfinite(positions).all():
        raise ValueError(f"positions have shape {positions.shape}; give finite pairs of at least one galaxy")
    if np.ndim(images) != 4 or np.shape(images)[-1] != 3:
        raise ValueError(f"images have shape {np.shape(images)}; give three colours, as of report.images.rgb")
    if not colours:
        raise ValueError("there is nothing to colour the galaxies by; give at least one column")
    parts = {"images": images, "texts": texts, **{f"colour {title!r}": values for title, values in colours.items()}}
    for title, values in (parts if alike is None else {**parts, "alike": alike}).items():
        if len(values) != n:
            raise ValueError(f"{title} has {len(values)} rows, there are {n} galaxies")


def _colour(title, values):
    """Palette, number of the shade of each galaxy (-1 where unknown), and labels or ends of the scale."""
    values = np.asarray(values)
    if values.dtype.kind in "fiub":
        values = values.astype(float)
        known = np.isfinite(values)
        low, high = np.percentile(values[known], RANGE) if known.any() else (0.0, 0.0)
        shades = np.full(len(values), -1)
        part = np.clip((values[known] - low) / ((high - low) or 1.0), 0, 1)
        shades[known] = np.minimum((part * N_SHADES).astype(int), N_SHADES - 1)
        palette = [to_hex(shade) for shade in colormaps["viridis"](np.linspace(0, 1, N_SHADES))]
        return {"name": title, "palette": palette, "shades": shades.tolist(), "range": [f"{low:.3g}", f"{high:.3g}"]}
    names = [str(value) for value in values]
    labels = sorted(set(names) - {""})
    if len(labels) > len(CATEGORIES):
        raise ValueError(f"colour {title!r} has {len(labels)} classes; {len(CATEGORIES)} can be told apart")
    shades = [labels.index(label) if label else -1 for label in names]
    return {"name": title, "palette": list(CATEGORIES[: len(labels)]), "shades": shades, "labels": labels}


def _sprite(images, columns):
    """PNG with all images as tiles, row by row, north up."""
    images = np.clip(np.nan_to_num(np.asarray(images, float), nan=0.5), 0, 1)[:, ::-1]
    tiles = np.stack([_tile(image) for image in images])
    n_rows = -(-len(tiles) // columns)
    tiles = np.concatenate([tiles, np.zeros((n_rows * columns - len(tiles), TILE, TILE, 3))])
    whole = tiles.reshape(n_rows, columns, TILE, TILE, 3).swapaxes(1, 2).reshape(n_rows * TILE, columns * TILE, 3)
    file = io.BytesIO()
    imsave(file, (255 * whole).round().astype(np.uint8), format="png")
    return file.getvalue()


def _tile(image):
    """The central square of an image, `TILE` pixels a side: means of whole pixels, or the nearest of a small image."""
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    image = image[top : top + side, left : left + side]
    edges = np.linspace(0, side, TILE + 1)
    starts = edges[:-1].astype(int)
    stops = np.maximum(np.ceil(edges[1:] - 1e-9).astype(int), starts + 1)
    sums = np.pad(image, ((1, 0), (1, 0), (0, 0))).cumsum(axis=0).cumsum(axis=1)
    high, low = sums[stops], sums[starts]
    total = high[:, stops] - high[:, starts] - low[:, stops] + low[:, starts]
    return total / ((stops - starts)[:, None, None] * (stops - starts)[None, :, None])
