import numpy as np
import pytest

from photoz_morph.explain.latent_space.neighbours import similar_galaxies


def test_neighbours_are_the_nearest_others_in_order():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(60, 4))
    found = similar_galaxies(latents, k=5)
    distances = np.linalg.norm(latents[:, None] - latents[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(found.rows, np.argsort(distances, axis=1)[:, :5])
    np.testing.assert_allclose(found.distances, np.sort(distances, axis=1)[:, :5])


def test_other_galaxies_are_searched_for_and_the_angle_ignores_brightness():
    rng = np.random.default_rng(1)
    latents = rng.normal(size=(30, 3, 2))  # maps are flattened
    found = similar_galaxies(latents, k=1, queries=10 * latents[[7, 12]], metric="cosine")
    assert found.rows.ravel().tolist() == [7, 12] and np.abs(found.distances).max() < 1e-12
    assert similar_galaxies(latents[:4], k=9).rows.shape == (4, 3)


@pytest.mark.parametrize(
    "latents, options, message",
    [
        ([[1.0, 2.0], [np.nan, 1.0]], {}, "the latent of galaxy 1 is not finite"),
        ([1.0, 2.0], {}, r"latents have shape \(2,\)"),
        ([[1.0]], {}, "k is 9 and there are 1 galaxies"),
        ([[1.0], [2.0]], {"metric": "angle"}, "no metric 'angle'; there are euclidean, cosine"),
        ([[1.0], [2.0]], {"queries": [[1.0, 2.0]]}, "latents have 1 values, those of the queries 2"),
    ],
)
def test_bad_latents_are_refused(latents, options, message):
    with pytest.raises(ValueError, match=message):
        similar_galaxies(latents, **options)
