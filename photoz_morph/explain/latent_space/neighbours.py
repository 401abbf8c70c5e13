"""Similar galaxies: neighbours in the latent space of a network."""

from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import NearestNeighbors

METRICS = ("euclidean", "cosine")


@dataclass(frozen=True)
class Neighbours:
    """Galaxies most like others, nearest first.

    Attributes
    ----------
    rows : ndarray of int, shape (n, k)
        In the table that was searched.
    distances : ndarray, shape (n, k)
        In latent space; with "cosine" 1 less the cosine of the angle.
    """

    rows: np.ndarray
    distances: np.ndarray


def similar_galaxies(latents, k=9, queries=None, metric="euclidean"):
    """Nearest neighbours of galaxies in latent space.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latent)
        Of the galaxies that are searched.
    k : int
    queries : ndarray, shape (n_queries, n_latent), optional
        Latents of other galaxies; by default each of `latents`, of which none is its own neighbour.
    metric : {"euclidean", "cosine"}
        The angle does not change with the length of a latent, which often grows with brightness.

    Returns
    -------
    Neighbours
        Of fewer than k where there are fewer galaxies.

    Raises
    ------
    ValueError
        If a latent is not finite, their lengths differ, there are too few galaxies, or there is no such metric.
    """
    latents = checked_latents(latents)
    if metric not in METRICS:
        raise ValueError(f"no metric {metric!r}; there are {', '.join(METRICS)}")
    n_others = len(latents) - (queries is None)
    if k < 1 or n_others < 1:
        raise ValueError(f"k is {k} and there are {len(latents)} galaxies; give k of 1 or more, and more galaxies")
    search = NearestNeighbors(n_neighbors=min(k, n_others), metric=metric).fit(latents)
    if queries is not None:
        queries = checked_latents(queries)
        if queries.shape[1] != latents.shape[1]:
            raise ValueError(f"latents have {latents.shape[1]} values, those of the queries {queries.shape[1]}")
    distances, rows = search.kneighbors(queries)
    return Neighbours(rows, distances)


def checked_latents(latents):
    """Latents as float64, shape (n, n_latent); maps are flattened.

    Raises
    ------
    ValueError
        If there are none, or one is not finite.
    """
    latents = np.asarray(latents, np.float64)
    if latents.ndim < 2 or not latents.size:
        raise ValueError(f"latents have shape {latents.shape}; give one row of numbers for each galaxy")
    latents = latents.reshape(len(latents), -1)
    if not np.isfinite(latents).all():
        bad = int(np.argmin(np.isfinite(latents).all(axis=1)))
        raise ValueError(f"the latent of galaxy {bad} is not finite; leave flagged galaxies out")
    return latents
