"""Isomaps of the latent spaces of classifiers, which show the overlap of the domains and the separation of the classes.

`embed` maps the latents of the same galaxies at both depths onto a plane with one isomap; `isomap_figure` draws it.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from photoz_morph.explain.latent_space.isomap import N_NEIGHBOURS, isomap
from photoz_morph.morph.report.style import class_colours
from photoz_morph.report.style import GREY, legend_below

N_GALAXIES = 250  # Ciprijanovic et al. (2021), the isomap figure


@dataclass(frozen=True)
class Embedding:
    """Latents of some galaxies at both depths on a plane, or in three dimensions.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Galaxies in the table.
    y10, y1 : ndarray, shape (n, n_components)
        Positions of their latents.
    marked : ndarray, shape (n_marked, n_components)
        Positions of the additional latents, such as those of a galaxy, its noisy and its attacked image.
    trust : float
        1 where every neighbour on the plane is one in latent space: scikit-learn's trustworthiness.
    """

    rows: np.ndarray
    y10: np.ndarray
    y1: np.ndarray
    marked: np.ndarray
    trust: float


def embed(
    latent_y10, latent_y1, n_galaxies=N_GALAXIES, n_neighbours=N_NEIGHBOURS, seed=0, marked=None, n_components=2
):
    """One isomap of the latents of random galaxies at both depths, each galaxy drawn once.

    Parameters
    ----------
    latent_y10, latent_y1 : ndarray, shape (n, n_latent)
    n_galaxies, n_neighbours, seed : int
    marked : ndarray, shape (n_marked, n_latent), optional
        Further latents, embedded with the others.
    n_components : {2, 3}

    Returns
    -------
    Embedding

    See Also
    --------
    photoz_morph.explain.latent_space.isomap
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(latent_y10))[:n_galaxies])
    latents = np.concatenate([np.asarray(latents, float)[rows] for latents in (latent_y10, latent_y1)])
    if marked is not None:
        latents = np.concatenate([latents, marked])
    n_neighbours = min(n_neighbours, len(rows) - 1)
    plane, trust = isomap(latents, n_neighbours, n_components)
    n = len(rows)
    return Embedding(rows, plane[:n], plane[n : 2 * n], plane[2 * n :], trust)


def isomap_figure(embeddings, given_y10, given_y1, label, class_names, title):
    """Isomaps of several runs, coloured by predicted class (above) and by label (below).

    Parameters
    ----------
    embeddings : dict of str to Embedding
        By the name of the run.
    given_y10, given_y1 : dict of str to ndarray of int, shape (n,)
        Predicted class of every galaxy of the run's table, by the seed of the latents.
    label : dict of str to ndarray of int, shape (n,)
    class_names : sequence of str
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Notes
    -----
    As Ciprijanovic et al. (2021): filled and large is Y10, open and small is Y1, coloured by predicted class.
    """
    colours = np.array([*class_colours(class_names), GREY])  # -1, no label, is grey
    figure = Figure(figsize=(max(4.4 * len(embeddings), 5.2), 9.3), layout="constrained")
    rows = figure.subplots(2, len(embeddings), squeeze=False)
    for column, (run, embedding) in enumerate(embeddings.items()):
        for axes, y10, y1 in zip(rows[:, column], (given_y10, label), (given_y1, label)):
            y10, y1 = (np.asarray(classes[run])[embedding.rows] for classes in (y10, y1))
            scatter_depths(axes, embedding, colours[y10], colours[y1], alpha=0.75)
            axes.set(xticks=[], yticks=[])
            axes.set_box_aspect(1)
            axes.margins(0.06)
        rows[0, column].set_title(f"{run}: predicted class (trustworthiness {embedding.trust:.2f})", fontsize=10)
        rows[1, column].set_title(f"{run}: label", fontsize=10)
    mark = {"marker": "o", "linestyle": ""}
    marks = [Line2D([], [], color=colour, label=name, **mark) for name, colour in zip(class_names, colours)]
    marks.append(Line2D([], [], color=GREY, markersize=6.5, label="Y10", **mark))
    marks.append(Line2D([], [], color=GREY, markersize=4, fillstyle="none", label="Y1", **mark))
    n_columns = len(marks) if len(embeddings) > 1 else len(class_names)
    legend_below(figure, marks, n_columns, 10)
    figure.suptitle(title)
    return figure


def scatter_depths(axes, embedding, colours_y10, colours_y1, alpha, **options):
    """Points of an embedding, large and filled in Y10, small and open in Y1; `options` are those of `Axes.scatter`."""
    axes.scatter(*embedding.y10.T, s=34, c=colours_y10, alpha=alpha, linewidths=0, **options)
    axes.scatter(*embedding.y1.T, s=13, facecolors="none", edgecolors=colours_y1, linewidths=0.9, **options)
