"""Figures of latent spaces: church windows, isomaps with an attacked galaxy in them, distances.

Church windows come from `robustness.latents.church_windows`, embeddings from `isomap.embed` with the latents of the
galaxy, its noisy and its attacked image as `marked`, in this order. Every function takes those of several runs, by
their name, and returns a matplotlib Figure made without pyplot.
"""

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from photoz_morph.morph.report.figures.isomap import scatter_depths
from photoz_morph.morph.report.style import RUN_STYLES, class_colours
from photoz_morph.report.style import BLACK, GREY, legend_below

# Marks of the paper: the base image, that of Y1 and the attacked one; white inside black shows on all three colours.
MARKS = {"Y10": ("X", 90), "Y1": ("*", 170), "one pixel changed": ("^", 85)}
PANELS = {  # name of a length -> title of its panels
    "y10_y1": "Y10 to Y1", "attacked": "to the one-pixel image", "margin_y10_right": "Y10 to the nearest border",
}  # fmt: skip
SHOWN_FRACTION = 0.99  # our choice: of all lengths, so that one galaxy far out does not squeeze the others
VIEW = (22, -60)  # our choice: elevation and azimuth of the 3-D panels [deg]


def triplet_figure(windows, embeddings, given_y10, given_y1, class_names, title):
    """A galaxy, its noisy and its attacked image: church windows above, isomaps below, a column for each run.

    Parameters
    ----------
    windows : dict of str to ChurchWindow
        Of the same galaxy, by the name of the run.
    embeddings : dict of str to Embedding
        In two dimensions, with the triplet marked.
    given_y10, given_y1 : dict of str to ndarray of int, shape (n,)
        Predicted class of every galaxy of the run's table, by the seed of the latents.
    class_names : sequence of str
    title : str
        Says whether the galaxies are real or simulated.

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    Ciprijanovic et al. (2021), Fig. 2: colours and marks are theirs. As there, one step right is the attacked image and
    one step up the noisy one unless the windows are orthonormal.
    """
    figure = Figure(figsize=(max(4.6 * len(windows), 5.6), 9.9), layout="constrained")
    rows = figure.subplots(2, len(windows), squeeze=False)
    for column, (run, window) in enumerate(windows.items()):
        _draw_window(rows[0, column], window, class_names)
        rows[0, column].set_title(_window_title(run, window, class_names), fontsize=10)
        embedding = embeddings[run]
        _draw_embedding(rows[1, column], embedding, given_y10[run], given_y1[run], class_names)
        rows[1, column].set_box_aspect(1)
        rows[1, column].margins(0.06)
        rows[1, column].set_title(f"{run}: isomap, trustworthiness {embedding.trust:.3f}", fontsize=10)
    _legend(figure, class_names, with_domains=True)
    figure.suptitle(title)
    return figure


def church_figure(windows, class_names, title, unit="latent units"):
    """Church windows side by side, of the latent space or of the images themselves.

    Parameters
    ----------
    windows : dict of str to ChurchWindow
        By the name of the panel.
    class_names : sequence of str
    title : str
    unit : str
        Of the lengths of the steps: "nJy" for images.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(max(4.6 * len(windows), 5.6), 5.4), layout="constrained")
    for axes, (name, window) in zip(figure.subplots(1, len(windows), squeeze=False)[0], windows.items()):
        _draw_window(axes, window, class_names, unit)
        axes.set_title(_window_title(name, window, class_names), fontsize=10)
    _legend(figure, class_names)
    figure.suptitle(title)
    return figure


def isomap_3d_figure(embeddings, given_y10, given_y1, class_names, title):
    """Isomaps in three dimensions with the triplet marked, one panel for each run.

    Parameters
    ----------
    embeddings : dict of str to Embedding
        In three dimensions.
    given_y10, given_y1 : dict of str to ndarray of int, shape (n,)
    class_names : sequence of str
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    The published 3-D isomaps show one surface through each domain. The points themselves are shown here, as they do not
    fill a surface.
    """
    figure = Figure(figsize=(max(5.2 * len(embeddings), 5.6), 5.4), layout="constrained")
    for column, (run, embedding) in enumerate(embeddings.items(), 1):
        axes = figure.add_subplot(1, len(embeddings), column, projection="3d", computed_zorder=False)
        _draw_embedding(axes, embedding, given_y10[run], given_y1[run], class_names)
        axes.set_zticks([])
        axes.view_init(*VIEW)
        axes.set_title(f"{run}: trustworthiness {embedding.trust:.3f}", fontsize=10)
    _legend(figure, class_names, with_domains=True)
    figure.suptitle(title)
    return figure


def distance_histograms(measurements, separations, title):
    """Distances in latent space: above in latent units, below in units of the class separation.

    Parameters
    ----------
    measurements : dict of str to LatentMeasurements
        Of `robustness.latent_scores`, by the name of the run; at most three.
    separations : dict of str to float
        Mean distance between the centroids of two classes.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = [name for name in PANELS if any(name in part.lengths for part in measurements.values())]
    figure = Figure(figsize=(3.6 * len(names), 6.4), layout="constrained")
    rows = figure.subplots(2, len(names), squeeze=False, sharey="col")
    styles = dict(zip(measurements, zip((colour for colour, _ in RUN_STYLES), ("-", "--", ":"))))
    for column, name in enumerate(names):
        for axes, is_scaled in zip(rows[:, column], (False, True)):
            lengths = {run: part.lengths[name] / (separations[run] if is_scaled else 1.0)
                       for run, part in measurements.items() if name in part.lengths}  # fmt: skip
            _draw_histograms(axes, lengths, styles)
            axes.set_xlabel("over class separation" if is_scaled else "latent units")
        rows[0, column].set_title(PANELS[name], fontsize=10)
    for axes in rows[:, 0]:
        axes.set_ylabel("fraction of galaxies in each bin")
    handles = [Line2D([], [], color=colour, linestyle=line, label=run) for run, (colour, line) in styles.items()]
    handles.append(Line2D([], [], color=GREY, marker="v", linestyle="", label="mean"))
    legend_below(figure, handles, len(handles), 10)
    figure.suptitle(title)
    return figure


def _draw_histograms(axes, lengths, styles):
    """One outline for each run over common bins, its mean marked on the axis; the last bin takes what lies beyond."""
    known = {run: values[np.isfinite(values)] for run, values in lengths.items()}
    top = max(np.quantile(values, SHOWN_FRACTION) for values in known.values())
    n_bins = int(np.ceil(2 * min(map(len, known.values())) ** (1 / 3)))  # the rule of Rice
    edges = np.linspace(0, top, n_bins + 1)
    for run, values in known.items():
        colour, line = styles[run]
        counts, _ = np.histogram(np.minimum(values, top), edges)
        axes.stairs(counts / len(values), edges, color=colour, linestyle=line, linewidth=1.5)
        axes.plot(values.mean(), 0, marker="v", markersize=9, color=colour, clip_on=False, zorder=3)
    axes.set_xlim(0, top)
    axes.set_ylim(bottom=0)


def _draw_window(axes, window, class_names, unit="latent units"):
    """Classes of a window, their borders, and the three images in it."""
    colours = ListedColormap(class_colours(class_names))
    half = window.coordinates[-1]
    step = window.coordinates[1] - window.coordinates[0]
    extent = (-half - step / 2, half + step / 2) * 2
    axes.imshow(window.classes, origin="lower", extent=extent, cmap=colours, vmin=-0.5, vmax=len(class_names) - 0.5,
                interpolation="nearest")  # fmt: skip
    for border in window.borders:
        axes.plot(*border.ends.T, color="white", linewidth=1.0)
    axes.axhline(0, color="white", linewidth=0.5, linestyle=":")
    axes.axvline(0, color="white", linewidth=0.5, linestyle=":")
    for (x, y), (mark, size) in zip(((0, 0), window.noisy, window.attacked), MARKS.values()):
        axes.scatter(x, y, s=size, marker=mark, color="white", edgecolors=BLACK, linewidths=1.0, zorder=4)
    axes.set(xlim=(-half, half), ylim=(-half, half))
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    if window.orthonormal:
        axes.set(xlabel=f"along the attack [{unit}]", ylabel=f"at right angles to it [{unit}]")
    else:
        lengths = [f"1 = {_number(length)} {unit}" for length in window.lengths]
        axes.set(xlabel=f"adversarial direction ({lengths[0]})", ylabel=f"noisy direction ({lengths[1]})")


def _number(value):
    """Three digits, with a power of ten rather than an e."""
    mantissa, _, power = f"{value:.3g}".partition("e")
    return f"{mantissa}$\\times$10$^{{{int(power)}}}$" if power else mantissa


def _window_title(run, window, class_names):
    """The run, the class before and after the attack, and the angle between the steps."""
    before, after, _ = (class_names[index] for index in window.given)
    return f"{run}: {before} → {after}, steps at {window.angle:.0f}°"


def _draw_embedding(axes, embedding, given_y10, given_y1, class_names):
    """Both depths coloured by predicted class, and the triplet joined by lines."""
    colours = np.array(class_colours(class_names))
    y10, y1 = (colours[np.asarray(given)[embedding.rows]] for given in (given_y10, given_y1))
    depth = {"depthshade": False} if embedding.y10.shape[1] == 3 else {}
    scatter_depths(axes, embedding, y10, y1, alpha=0.6, **depth)
    base = embedding.marked[0]
    for place, (mark, size) in zip(embedding.marked, MARKS.values()):
        axes.plot(*np.stack([base, place]).T, color=BLACK, linewidth=1.0, zorder=5)
        axes.scatter(*place[:, None], s=size, marker=mark, color="white", edgecolors=BLACK, linewidths=1.2, zorder=6,
                     **depth)  # fmt: skip
    axes.set(xticks=[], yticks=[])


def _legend(figure, class_names, with_domains=False):
    """Classes and marks, below the panels."""
    handles = [Patch(color=colour, label=name) for name, colour in zip(class_names, class_colours(class_names))]
    handles += [Line2D([], [], marker=mark, linestyle="", color="white", markeredgecolor=BLACK, markersize=size**0.5,
                       label=name) for name, (mark, size) in MARKS.items()]  # fmt: skip
    if with_domains:
        handles.append(Line2D([], [], marker="o", linestyle="", color=GREY, markersize=6, label="others, Y10"))
        handles.append(Line2D([], [], marker="o", linestyle="", color=GREY, markersize=4, fillstyle="none",
                              label="others, Y1"))  # fmt: skip
    is_wide = figure.get_figwidth() > 9  # [inch]; else the entries need two rows
    n_columns = len(handles) if is_wide else -(-len(handles) // 2)
    legend_below(figure, handles, n_columns, columnspacing=1.2, handletextpad=0.5)
