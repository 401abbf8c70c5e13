import numpy as np
import pytest

from photoz_morph.robustness.latents.geometry import (
    class_margins,
    class_separation,
    crossing,
    distances,
    margins,
    seen_distance,
)
from tests.support.latents import N_LATENT, toy_head


def test_distances_are_those_worked_by_hand():
    found = distances([[0, 0], [1, 1], [0, 2]], [[3, 4], [1, 1], [0, 9]])  # 5, 0, 7
    assert found == pytest.approx(
        {"n": 3, "mean": 4, "standard_deviation": np.sqrt(26 / 3), "standard_error": np.sqrt(26) / 3}
    )


def test_distances_of_nothing_are_an_error():
    with pytest.raises(ValueError, match="no galaxy was flipped"):
        distances(np.zeros((0, 4)), np.zeros((0, 4)))


def test_class_separation_is_that_worked_by_hand():
    # Centroids (0, 0), (6, 0), (0, 8): pairs 6, 8, 10. Every galaxy is 1 from its centroid but two, which are on it.
    latents = [[1, 0], [-1, 0], [6, 1], [6, -1], [0, 8], [0, 8], [99, 99]]
    found = class_separation(latents, [0, 0, 1, 1, 2, 2, -1])
    assert found == pytest.approx({"separation": 8, "spread": np.sqrt(4 / 6)})
    with pytest.raises(ValueError, match="two classes or more"):
        class_separation(latents, [1] * 7)


def test_margins_are_where_a_search_finds_the_border():
    kernel, bias = toy_head(n_classes=4)
    latents = np.random.default_rng(0).normal(size=(8, N_LATENT))
    found = margins(latents @ kernel + bias, kernel)
    for latent, margin in zip(latents, found):
        for p in range(4):
            for q in range(4):
                if p == q:
                    assert np.isnan(margin[p, q])
                    continue
                normal = (kernel[:, p] - kernel[:, q]) / np.linalg.norm(kernel[:, p] - kernel[:, q])

                def gap(t, latent=latent, normal=normal, p=p, q=q):
                    logits = (latent - t * normal) @ kernel + bias
                    return logits[p] - logits[q]

                low, high = -100.0, 100.0
                for _ in range(60):  # bisection
                    middle = (low + high) / 2
                    low, high = (middle, high) if gap(middle) > 0 else (low, middle)
                assert margin[p, q] == pytest.approx(low, abs=1e-9)


def test_no_step_shorter_than_the_margin_changes_the_class():
    kernel, bias = toy_head(n_classes=4)
    rng = np.random.default_rng(1)
    for latent in rng.normal(size=(10, N_LATENT)):
        logits = latent @ kernel + bias
        (margin,) = class_margins(logits[None], kernel)
        steps = rng.normal(size=(4000, N_LATENT))
        steps /= np.linalg.norm(steps, axis=1, keepdims=True)
        nearer = (latent + 0.999 * margin * steps) @ kernel + bias
        assert (nearer.argmax(axis=1) == logits.argmax()).all()
        normals = kernel - kernel[:, [logits.argmax()]]
        with np.errstate(invalid="ignore"):
            normals /= np.linalg.norm(normals, axis=0)
        beyond = (latent + 1.001 * margin * normals.T) @ kernel + bias
        assert (beyond.argmax(axis=1) != logits.argmax()).any()


def test_margin_of_a_class_not_given_is_negative():
    kernel = np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 2.0]])  # borders at x = 0, y = x / 2, y = -x / 2
    logits = np.array([[3.0, 0.0]]) @ kernel
    assert class_margins(logits, kernel) == pytest.approx([3 / np.sqrt(5)])
    assert margins(logits, kernel)[0, 1, 0] == pytest.approx(-3.0)


def test_crossing_is_where_the_class_changes_on_the_way():
    kernel, bias = toy_head(n_classes=4)
    rng = np.random.default_rng(2)
    start, end = rng.normal(size=(2, 200, N_LATENT))
    logits, after = (part @ kernel + bias for part in (start, end))
    found = crossing(logits, after, logits.argmax(axis=1))
    t = np.linspace(0, 1, 2001)
    way = (start[:, None] + t[None, :, None] * (end - start)[:, None]) @ kernel + bias
    changed = way.argmax(axis=2) != logits.argmax(axis=1)[:, None]
    searched = np.where(changed.any(axis=1), t[changed.argmax(axis=1)], np.inf)
    flipped = after.argmax(axis=1) != logits.argmax(axis=1)
    assert 50 < flipped.sum() < 200
    assert found[flipped] == pytest.approx(searched[flipped], abs=5e-4)
    assert (found[~flipped] > 1).all()


def test_crossing_without_an_end_is_nan():
    assert np.isnan(crossing([[1.0, 0.0]], [[np.nan, np.nan]], [0])).all()


def test_the_head_sees_only_what_changes_the_differences_of_logits():
    kernel, _ = toy_head()
    rng = np.random.default_rng(3)
    steps = rng.normal(size=(5, N_LATENT))
    contrasts = kernel[:, 1:] - kernel[:, :1]
    seen = steps @ contrasts @ np.linalg.pinv(contrasts)  # projection by another road
    zero = np.zeros_like(steps)
    assert seen_distance(zero, steps, kernel) == pytest.approx(np.linalg.norm(seen, axis=1))
    assert seen_distance(zero, steps - seen, kernel) == pytest.approx(np.zeros(5), abs=1e-12)
    logits = (steps - seen) @ kernel
    assert logits - logits[:, :1] == pytest.approx(np.zeros((5, 3)), abs=1e-12)
