import numpy as np
import pytest

from photoz_morph.metrics import bootstrap as module
from photoz_morph.metrics.bootstrap import bootstrap, bootstrap_scores
from photoz_morph.metrics.photoz import SCORES, bias, sigma_mad


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


def test_one_seed_redraws_the_same_galaxies():
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
