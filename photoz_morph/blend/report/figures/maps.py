"""Maps and fields beside the truth, and pixels of maps against true ones."""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from photoz_morph.blend.report.figures.overlays import composite
from photoz_morph.report.style import GREY

LABELS = {
    "mass": r"$\log\,\Sigma_\star$ [M$_\odot$ kpc$^{-2}$]", "age": "log age [yr]", "metallicity": "[M/H]",
    "a_v": r"$A_V$ [mag]", "field": "ln of the field",
}  # fmt: skip
COLOURS = {"mass": "viridis", "age": "magma", "metallicity": "cividis", "a_v": "inferno", "field": "RdBu_r"}
EDGES = (1, 99)  # percentiles of the true pixels, the ends of the colours; our choice
N_CELLS = 60  # along each side of a plane of pixels


def galaxy_maps(image, sigma, truth, inside, methods, names, title):
    """Maps of one galaxy: the truth above, what each method gives below.

    Parameters
    ----------
    image : ndarray, shape (size, size, 3)
        In g, r, i.
    sigma : ndarray, shape (3,)
    truth : ndarray, shape (size, size, n_maps)
    inside : ndarray of bool, shape (size, size)
        Pixels that count; others are left white.
    methods : dict of str to ndarray
        Name -> maps.
    names : sequence of str
        Of the maps.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = {"truth": truth, **methods}
    window = _window(inside)
    figure = Figure(figsize=(2.1 * (len(names) + 1) + 0.6, 2.1 * len(rows) + 0.9), layout="constrained")
    panels = figure.subplots(len(rows), len(names) + 1, squeeze=False)
    picture = composite(image, sigma, ("g", "r", "i"))
    for row, (name, maps) in enumerate(rows.items()):
        if row == 0:
            panels[row, 0].imshow(picture[window], origin="lower")
            panels[row, 0].set_title("image", fontsize=10)
        else:
            panels[row, 0].set_axis_off()
        for column, label in enumerate(names):
            shown = np.where(inside, maps[..., column], np.nan)[window]
            low, high = np.percentile(truth[inside][:, column], EDGES)
            drawn = panels[row, column + 1].imshow(
                shown, cmap=COLOURS[label], vmin=low, vmax=max(high, low + 1e-3), origin="lower", interpolation="none"
            )
            if row == 0:
                panels[row, column + 1].set_title(LABELS[label], fontsize=10)
            if row == len(rows) - 1:
                figure.colorbar(drawn, ax=panels[:, column + 1], orientation="horizontal", fraction=0.04, pad=0.02)
        panels[row, 1].set_ylabel(name, fontsize=10)
    _bare(panels)
    figure.suptitle(title)
    return figure


def restored_fields(examples, methods, title):
    """Fields, their observations and their restorations, a row for each.

    Parameters
    ----------
    examples : dict of str to (ndarray, ndarray)
        Role -> true field, shape (size, size), and its observation with where it is seen, shape (size, size, 2).
    methods : dict of str to list of ndarray
        Name -> restored fields, shape (size, size), in the order of the examples.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_columns = 2 + 2 * len(methods)
    figure = Figure(figsize=(1.9 * n_columns + 0.6, 1.9 * len(examples) + 0.9), layout="constrained")
    panels = figure.subplots(len(examples), n_columns, squeeze=False)
    for row, (role, (truth, observed)) in enumerate(examples.items()):
        middle, half = truth.mean(), np.percentile(np.abs(truth - truth.mean()), EDGES[1])
        scale = {"vmin": middle - half, "vmax": middle + half, "cmap": COLOURS["field"], "origin": "lower"}
        seen = np.where(observed[..., 1] > 0, observed[..., 0], np.nan)
        shown = {"truth": truth, "observed": seen}
        shown |= {name: fields[row] for name, fields in methods.items()}
        for column, (name, field) in enumerate(shown.items()):
            drawn = panels[row, column].imshow(field, interpolation="none", **scale)
            panels[row, column].set_facecolor("#BBBBBB")
            if row == 0:
                panels[row, column].set_title(name, fontsize=10)
        for column, (name, fields) in enumerate(methods.items(), 2 + len(methods)):
            panels[row, column].imshow(fields[row] - truth, **{**scale, "vmin": -half, "vmax": half})
            if row == 0:
                panels[row, column].set_title(f"error of {name}", fontsize=10)
        panels[row, 0].set_ylabel(role, fontsize=10)
        figure.colorbar(drawn, ax=panels[row, :], fraction=0.02, pad=0.01, label=LABELS["field"])
    _bare(panels)
    figure.suptitle(title)
    return figure


def pixel_planes(truth, inside, methods, names, title):
    """Pixels of maps or fields against true ones, a row for each method and a column for each map; of a single map a
    column for each method.

    Parameters
    ----------
    truth : ndarray, shape (n, size, size, n_maps)
    inside : ndarray of bool, shape (n, size, size)
    methods : dict of str to ndarray
        Name -> maps as the truth.
    names : sequence of str
        Of the maps.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    is_single, shape = len(names) == 1, (len(methods), len(names))
    n_rows, n_columns = shape[::-1] if is_single else shape
    size = 3.4 if is_single else 2.5
    figure = Figure(figsize=(size * n_columns + 0.8, size * n_rows + 0.7), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).reshape(shape)
    for column, label in enumerate(names):
        true = truth[inside][:, column].astype(float)
        ends = np.percentile(true, (0.2, 99.8))
        edges = np.linspace(*ends, N_CELLS + 1)
        counts = {name: np.histogram2d(maps[inside][:, column].astype(float), true, (edges, edges))[0]
                  for name, maps in methods.items()}  # fmt: skip
        highest = max(2.0, *(cells.max() for cells in counts.values()))
        for row, (name, cells) in enumerate(counts.items()):
            axes = panels[row, column]
            axes.pcolormesh(edges, edges, np.where(cells > 0, cells, np.nan), cmap="Blues", rasterized=True,
                            norm=LogNorm(0.5, highest))  # fmt: skip
            axes.plot(ends, ends, color=GREY, linewidth=0.9)
            axes.set(xlim=ends, ylim=ends, aspect="equal")
            if is_single or row == len(methods) - 1:
                axes.set_xlabel(f"true {LABELS[label]}", fontsize=9)
            if column == 0:
                axes.set_ylabel(name, fontsize=10)
            axes.tick_params(labelsize=8)
    figure.suptitle(title)
    return figure


def _window(inside):
    """Rows and columns of the pixels that count, with a margin, as a square."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    half = max(np.ptp(rows), np.ptp(columns)) // 2 + 3
    starts = [int(np.clip((places.min() + places.max() + 1) // 2 - half, 0, max(len(inside) - 2 * half, 0)))
              for places in (rows, columns)]  # fmt: skip
    return tuple(slice(start, start + 2 * half) for start in starts)


def _bare(panels):
    """Panels without ticks."""
    for axes in panels.flat:
        axes.set_xticks([])
        axes.set_yticks([])
