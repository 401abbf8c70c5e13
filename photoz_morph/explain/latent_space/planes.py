"""Galaxies of a latent space on a plane, by isomap or, where `umap-learn` is installed, by UMAP."""

import importlib.util
from dataclasses import dataclass

import numpy as np

from photoz_morph.explain.latent_space.isomap import N_NEIGHBOURS, isomap, trust
from photoz_morph.explain.latent_space.neighbours import checked_latents

METHODS = ("isomap", "umap")
MAX_GALAXIES = 2000  # an isomap of so many takes a quarter of a minute
UMAP_NEIGHBOURS = 15  # its default


@dataclass(frozen=True)
class Plane:
    """Some galaxies on a plane.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Galaxies in the table.
    positions : ndarray, shape (n, 2)
    trust : float
        See `isomap.trust`.
    method : str
    """

    rows: np.ndarray
    positions: np.ndarray
    trust: float
    method: str


def plane(latents, method="isomap", n_galaxies=MAX_GALAXIES, n_neighbours=None, seed=0):
    """Map of a latent space.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latent)
    method : {"isomap", "umap"}
    n_galaxies : int
        Random galaxies that are shown, all where there are no more.
    n_neighbours : int, optional
        Of each galaxy, that the map keeps; by default 5 for isomap and 15 for UMAP.
    seed : int
        Of the choice of galaxies, and of UMAP.

    Returns
    -------
    Plane

    Raises
    ------
    ValueError
        If there is no such method, fewer than four galaxies, or a latent is not finite.
    RuntimeError
        If UMAP is asked for and `umap-learn` is not installed.

    Notes
    -----
    UMAP: McInnes, Healy & Melville (2018, arXiv 1802.03426).
    """
    latents = checked_latents(latents)
    if method not in METHODS:
        raise ValueError(f"no map {method!r}; there are {', '.join(METHODS)}")
    if min(len(latents), n_galaxies) < 4:
        raise ValueError(f"{min(len(latents), n_galaxies)} galaxies make no map of a latent space; give at least 4")
    if method == "umap" and importlib.util.find_spec("umap") is None:
        raise RuntimeError("UMAP needs umap-learn, which is not installed: pip install umap-learn; or take isomap")
    rows = np.sort(np.random.default_rng(seed).permutation(len(latents))[:n_galaxies])
    shown = latents[rows]
    n_neighbours = min(n_neighbours or {"isomap": N_NEIGHBOURS, "umap": UMAP_NEIGHBOURS}[method], len(rows) - 1)
    if method == "isomap":
        return Plane(rows, *isomap(shown, n_neighbours), method)
    import umap

    positions = umap.UMAP(n_neighbors=n_neighbours, random_state=seed, n_jobs=1).fit_transform(shown)
    return Plane(rows, np.asarray(positions, float), trust(shown, positions), method)
