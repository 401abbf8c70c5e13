import numpy as np
import pytest

from photoz_morph.morph.report.figures import isomap
from photoz_morph.morph.report.figures.isomap import embed
from tests.support.latents import toy_triplets


def test_isomap_tells_domains_apart_only_where_the_latents_do():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(80, 8))
    together = isomap.embed(latents, latents + 0.01 * rng.normal(size=latents.shape))
    apart = isomap.embed(latents, latents + 30)
    distance = [np.linalg.norm(part.y10.mean(axis=0) - part.y1.mean(axis=0)) for part in (together, apart)]
    spread = [part.y10.std() for part in (together, apart)]
    assert distance[0] < 0.1 * spread[0] and distance[1] > 3 * spread[1]


def test_trustworthiness_is_that_of_a_plane():
    latents = np.random.default_rng(0).normal(size=(80, 2)) @ np.random.default_rng(1).normal(size=(2, 8))
    assert isomap.embed(latents, latents + 0.1).trust > 0.97
    noise = np.random.default_rng(0).normal(size=(2, 80, 8))  # eight dimensions do not fit on a plane
    assert isomap.embed(*noise).trust < 0.9


def test_isomap_draws_galaxies_once():
    latents = np.random.default_rng(0).normal(size=(500, 4))
    rows = isomap.embed(latents, latents, n_galaxies=60).rows
    assert len(rows) == len(set(rows)) == 60


@pytest.fixture(scope="module")
def runs():
    return toy_triplets()


def test_marked_latents_are_laid_with_the_others(runs):
    run, _ = runs["regular"]
    latents = [np.asarray(run.table[f"latent_{suffix}"], float) for suffix in ("y10", "y1")]
    first = embed(*latents, n_galaxies=50)
    again = [latents[0][first.rows[7]], latents[1][first.rows[9]]]
    marked = embed(*latents, n_galaxies=50, marked=again, n_components=3)
    assert marked.marked == pytest.approx(np.stack([marked.y10[7], marked.y1[9]]), abs=1e-6)
    assert marked.y10.shape == (50, 3) and first.marked.shape == (0, 2) and np.array_equal(first.rows, marked.rows)
