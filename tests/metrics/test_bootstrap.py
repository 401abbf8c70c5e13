import numpy as np
import pytest

from photoz_morph.metrics import bootstrap as module
from photoz_morph.metrics.bootstrap import bootstrap, bootstrap_scores
from photoz_morph.metrics.redshifts.point_scores import SCORES, bias, sigma_mad


def test_bootstrap_error_of_the_mean_is_sigma_over_root_n():
    values = np.random.default_rng(7).normal(0, 2.0, 400)
    error = bootstrap(bias, values, 4000, seed=1).std()
    assert error == pytest.approx(values.std() / np.sqrt(400), rel=0.05)  # 4 x 1 / sqrt(2 x 4000)


def test_bootstrap_error_of_sigma_mad_matches_repeated_samples():
    rng = np.random.default_rng(8)
    repeated = np.std([sigma_mad(rng.normal(size=2000)) for _ in range(1000)])
    error = bootstrap(sigma_mad, rng.normal(size=2000), 1000).std()
    assert error == pytest.approx(repeated, rel=0.25)  # one sample's own scatter


def test_bootstrap_does_not_depend_on_memory(monkeypatch):
    values = np.random.default_rng(9).normal(size=301)
    whole = bootstrap(sigma_mad, values, 50, seed=2)
    monkeypatch.setattr(module, "RESAMPLE_ENTRIES", 1000)
    np.testing.assert_array_equal(bootstrap(sigma_mad, values, 50, seed=2), whole)


def test_one_seed_resamples_the_same_galaxies():
    values = np.random.default_rng(10).normal(size=100)
    shifted = bootstrap(bias, values + 1, 50, seed=3)
    np.testing.assert_allclose(shifted - bootstrap(bias, values, 50, seed=3), 1, rtol=1e-12)


def test_bootstrap_needs_resamples():
    with pytest.raises(ValueError, match="at least 2 resamples, got 1"):
        bootstrap(bias, [1.0, 2.0], 1)


def test_scores_together_are_the_scores_one_by_one():
    # Together, quantities of several scores are put together in order; one by one they are not.
    rng = np.random.default_rng(11)
    per_galaxy = {quantity: rng.random(300) for quantity, _ in SCORES.values()}
    together = bootstrap_scores(SCORES, per_galaxy, 20, seed=4)
    assert list(together) == list(SCORES)
    for name, (quantity, condense) in SCORES.items():
        alone = bootstrap(condense, per_galaxy[quantity], 20, seed=4)
        np.testing.assert_allclose(together[name], alone, rtol=1e-9, err_msg=name)


def test_flagged_galaxy_in_a_quantity_is_refused():
    per_galaxy = {quantity: np.array([0.1, 0.2, 0.3]) for quantity, _ in SCORES.values()}
    per_galaxy["crps"][1] = np.nan
    with pytest.raises(ValueError, match="crps: 1 of 3 values are not finite"):
        bootstrap_scores(SCORES, per_galaxy)


def errors_of(scores, per_galaxy, **options):
    return {name: drawn.std() for name, drawn in bootstrap_scores(scores, per_galaxy, **options).items()}


TWICE = {"bias": ("residual", bias), "sigma_mad": ("residual", sigma_mad), "crps": ("crps", SCORES["crps"][1])}


def test_a_copy_of_every_galaxy_makes_no_error_smaller():
    rng = np.random.default_rng(12)
    once = {"residual": rng.normal(size=1500), "crps": rng.random(1500)}
    twice = {quantity: np.tile(values, 2) for quantity, values in once.items()}
    expected = errors_of(TWICE, once, n_resamples=1000)
    grouped = errors_of(TWICE, twice, n_resamples=1000, seed=1, group_id=np.tile(np.arange(1500), 2))
    by_galaxy = errors_of(TWICE, twice, n_resamples=1000, seed=2)
    for name, error in expected.items():
        assert grouped[name] == pytest.approx(error, rel=0.12), name  # 4 x 1 / sqrt(1000)
        assert grouped[name] == pytest.approx(np.sqrt(2) * by_galaxy[name], rel=0.12), name


def test_error_of_groups_with_correlated_galaxies_is_that_of_repeated_samples():
    # Groups of 1, 2 and 3 galaxies whose residuals correlate by 0.46.
    rng = np.random.default_rng(13)
    group_id = np.repeat(np.arange(900), np.tile([1, 2, 3], 300))

    def sample():
        return np.sqrt(0.46) * rng.normal(size=900)[group_id] + np.sqrt(0.54) * rng.normal(size=1800)

    samples = np.array([sample() for _ in range(1000)])
    for score in (bias, sigma_mad):
        drawn = bootstrap_scores({"score": ("residual", score)}, {"residual": samples[0]}, 500, group_id=group_id)
        assert drawn["score"].std() == pytest.approx(score(samples).std(), rel=0.2)  # one sample's own scatter


def test_groups_are_resampled_whole_and_alike_for_all_quantities():
    values = np.array([0.0, 6.0, 6.0, 6.0])
    scores = {"mean": ("a", bias), "median": ("a", lambda drawn: np.median(drawn, axis=-1)), "twice": ("b", bias)}
    drawn = bootstrap_scores(scores, {"a": values, "b": 2 * values}, 100, group_id=["x", "y", "y", "y"])
    assert set(drawn["mean"]) == {0, 4.5, 6}  # one twice, each once, the other twice
    np.testing.assert_array_equal(drawn["twice"], 2 * drawn["mean"])
    np.testing.assert_array_equal(drawn["median"] == 0, drawn["mean"] == 0)


def test_paired_differences_of_copies_have_the_error_of_the_originals():
    rng = np.random.default_rng(14)
    first, own, group_id = rng.normal(size=1000), 0.1 * rng.normal(size=1000), np.tile(np.arange(1000), 2)

    def error_of_difference(copies, group_id):
        pair = ({"residual": np.tile(values, copies)} for values in (first + own, first))
        drawn = [bootstrap_scores({"bias": ("residual", bias)}, part, 1000, group_id=group_id)["bias"] for part in pair]
        return np.std(drawn[0] - drawn[1])

    assert error_of_difference(1, None) == pytest.approx(own.std() / np.sqrt(1000), rel=0.1)
    assert error_of_difference(2, group_id) == pytest.approx(own.std() / np.sqrt(1000), rel=0.1)


def test_groups_of_one_galaxy_are_galaxies():
    per_galaxy = {"residual": np.random.default_rng(15).normal(size=200)}
    scores = {"bias": ("residual", bias)}
    by_group = bootstrap_scores(scores, per_galaxy, 20, group_id=np.arange(200)[::-1])
    np.testing.assert_array_equal(by_group["bias"], bootstrap_scores(scores, per_galaxy, 20)["bias"])


def test_a_single_parent_and_another_table_are_refused():
    scores, per_galaxy = {"bias": ("residual", bias)}, {"residual": np.arange(3.0)}
    with pytest.raises(ValueError, match="all 3 galaxies have group_id 7; errors need galaxies of two parents"):
        bootstrap_scores(scores, per_galaxy, group_id=[7, 7, 7])
    with pytest.raises(ValueError, match="group_id"):
        bootstrap_scores(scores, per_galaxy, group_id=[7, 8])
