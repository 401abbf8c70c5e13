import importlib.util

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from photoz_morph.explain.latent_space.isomap import isomap, trust
from photoz_morph.explain.latent_space.planes import plane


def roll(n=300, seed=0):
    """A sheet rolled up in three dimensions, with the way along it."""
    rng = np.random.default_rng(seed)
    along, across = rng.uniform(1.5 * np.pi, 4 * np.pi, n), rng.uniform(0, 10, n)
    return np.stack([along * np.cos(along), across, along * np.sin(along)], axis=1), along**2 / 2


def test_an_isomap_unrolls_a_rolled_sheet():
    latents, way = roll()
    positions, trust = isomap(latents, n_neighbours=8)
    assert abs(np.corrcoef(positions[:, 0], way)[0, 1]) > 0.95 and trust > 0.95


def test_trust_is_that_of_scikit_learn_and_low_for_chance():
    latents, _ = roll(60)
    chance = np.random.default_rng(1).normal(size=(60, 2))
    assert trust(latents, chance) == trustworthiness(latents, chance, n_neighbors=5) < 0.7
    assert trust(latents[:4], latents[:4, :2]) == trustworthiness(latents[:4], latents[:4, :2], n_neighbors=1)


def test_a_plane_shows_random_galaxies_once_each():
    latents, _ = roll()
    found = plane(latents, n_galaxies=50, seed=3)
    assert len(np.unique(found.rows)) == 50 and found.positions.shape == (50, 2)
    np.testing.assert_allclose(found.positions, isomap(latents[found.rows])[0])
    np.testing.assert_array_equal(plane(latents, n_galaxies=50, seed=3).rows, found.rows)
    assert plane(latents, n_galaxies=50, seed=4).rows.tolist() != found.rows.tolist()


def test_planes_that_cannot_be_made_are_refused():
    latents, _ = roll(3)
    with pytest.raises(ValueError, match="3 galaxies make no map of a latent space"):
        plane(latents)
    with pytest.raises(ValueError, match="no map 'pca'; there are isomap, umap"):
        plane(latents, "pca")


def test_umap_separates_two_clouds_or_says_how_to_install_it():
    rng = np.random.default_rng(2)
    latents = np.concatenate([rng.normal(0, 1, (40, 5)), rng.normal(20, 1, (40, 5))])
    if importlib.util.find_spec("umap") is None:
        with pytest.raises(RuntimeError, match="pip install umap-learn"):
            plane(latents, "umap")
        return
    positions = plane(latents, "umap").positions
    centres = [positions[:40].mean(axis=0), positions[40:].mean(axis=0)]
    assert np.linalg.norm(centres[0] - centres[1]) > 3 * positions[:40].std()
