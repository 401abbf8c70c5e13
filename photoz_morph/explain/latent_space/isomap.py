"""Isomap of a latent space: a plane on which the ways along the cloud of galaxies have the lengths they have in it."""

import warnings

from sklearn.manifold import Isomap, trustworthiness

N_NEIGHBOURS = 5  # scikit-learn's default, as in the code of Ciprijanovic et al. (2021)


def isomap(latents, n_neighbours=N_NEIGHBOURS, n_components=2):
    """Positions of galaxies on an isomap.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latent)
        A few thousand at most: memory grows as n^2, time as n^3.
    n_neighbours : int
        Of each galaxy, to which it is joined; fewer where there are fewer galaxies.
    n_components : int

    Returns
    -------
    positions : ndarray, shape (n, n_components)
    trust : float
        1 where every neighbour on the plane is one in latent space: scikit-learn's trustworthiness.

    Notes
    -----
    Tenenbaum, de Silva & Langford (2000). Unconnected groups of points are joined by their shortest links, as in
    scikit-learn.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*connected components")  # see the notes above
        warnings.filterwarnings("ignore", message=".*sparsity")  # scipy's, on how scikit-learn joins them
        positions = Isomap(n_neighbors=n_neighbours, n_components=n_components).fit_transform(latents)
    return positions, trust(latents, positions, n_neighbours)


def trust(latents, positions, n_neighbours=N_NEIGHBOURS):
    """Trustworthiness of a map of a latent space: 1 where every neighbour on it is one in latent space.

    Parameters
    ----------
    latents : ndarray, shape (n, n_latent)
    positions : ndarray, shape (n, n_components)
    n_neighbours : int

    Returns
    -------
    float

    Notes
    -----
    Venna & Kaski (2001), as in scikit-learn; of half the galaxies at most.
    """
    return float(trustworthiness(latents, positions, n_neighbors=min(n_neighbours, (len(latents) - 1) // 2)))
