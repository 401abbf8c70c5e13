import numpy as np

from photoz_morph.robustness.one_pixel.effects import EVERYWHERE, N_KEPT, NOISE, SCALES, Effects

SHAPE = (12, 10)


def covariance(first, second):
    """Covariance of the effects of two edits of two bands, in words of the docstring."""
    (pixel, corner), (other, its) = divmod(first, 4), divmod(second, 4)
    square = (pixel // 10 - other // 10) ** 2 + (pixel % 10 - other % 10) ** 2
    near = EVERYWHERE + sum(weight * np.exp(-square / 2 / scale**2) for scale, weight in SCALES)
    return near * {0: 1.0, 1: 0.5, 2: 0.5, 3: 0.0}[corner ^ its]  # bands that differ


def test_estimates_are_those_of_a_gaussian_process_of_sums():
    rng = np.random.default_rng(0)
    sets, changes = rng.integers(0, 480, (9, 3)), rng.normal(size=9)
    edits = rng.integers(0, 480, 20)
    effects = Effects(SHAPE, 2)
    effects.add(sets[:4], changes[:4])
    effects.add(sets[4:], changes[4:])
    gram = np.array([[sum(covariance(a, b) for a in one for b in two) for two in sets] for one in sets])
    gram += 3 * NOISE * np.eye(9)
    shared = np.array([[sum(covariance(edit, b) for b in two) for two in sets] for edit in edits])
    weights = np.linalg.solve(gram, changes)
    mean, deviation = effects.estimate(edits)
    np.testing.assert_allclose(mean, shared @ weights, atol=1e-10)
    variance = (1 - np.sum(shared * np.linalg.solve(gram, shared.T).T, axis=1)) * (changes @ weights / 9)
    np.testing.assert_allclose(deviation, np.sqrt(variance), atol=1e-7)


def test_smooth_effects_are_learned_from_sets():
    rows, columns = np.indices(SHAPE)
    truth = -np.exp(-((rows - 4) ** 2 + (columns - 7) ** 2) / 18)[..., None] * np.array([0, 0.5, 0.5, 1])
    truth = truth.ravel()
    rng = np.random.default_rng(1)
    sets = rng.integers(0, 480, (40, 4))
    effects = Effects(SHAPE, 2)
    effects.add(sets, truth[sets].sum(axis=1))
    mean, _ = effects.estimate(np.arange(480))
    assert np.corrcoef(mean, truth)[0, 1] > 0.9
    place, corner = divmod(int(mean.argmin()), 4)
    assert corner == 3 and np.hypot(place // 10 - 4, place % 10 - 7) < 3


def test_only_the_best_and_the_last_sets_are_kept():
    effects = Effects(SHAPE, 2)
    changes = np.arange(2.0 * N_KEPT)
    for change in changes:
        effects.add(np.array([[int(change), 479]]), np.array([change]))
    assert sorted(effects._changes) == [*changes[: N_KEPT // 2], *changes[-(N_KEPT // 2) :]]


def test_where_nothing_changes_all_is_equally_unknown():
    effects = Effects(SHAPE, 2)
    effects.add(np.array([[3, 400]]), np.zeros(1))
    mean, deviation = effects.estimate(np.arange(0, 480, 7))
    assert np.all(mean == 0) and np.all(deviation > 0)
    assert effects.estimate(np.array([3]))[1][0] < deviation.max()
