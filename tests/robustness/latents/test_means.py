import numpy as np
import pytest

from photoz_morph.robustness.latents.geometry import (
    class_separation,
)
from photoz_morph.robustness.latents.means import UNITS, LatentSpace, paired_ratio, scale_of, scaled_means

RESAMPLES = 300


def toy_space(n=300, n_latent=4, views=1, seed=0):
    """Three classes of unit width at the corners of a simplex, and their distances to somewhere."""
    rng = np.random.default_rng([seed, 6])
    labels = np.repeat(np.arange(n // views) % 3, views)
    latents = np.repeat(rng.normal(size=(n // views, n_latent)), views, axis=0) + 5 * np.eye(n_latent)[labels]
    lengths = np.repeat(rng.gamma(4.0, 0.5, n // views), views)
    return lengths, LatentSpace(latents, labels, np.repeat(np.arange(n // views), views))


def test_scale_free_means_do_not_change_when_the_latents_are_stretched():
    lengths, space = toy_space()
    stretched = LatentSpace(100 * space.latents, space.labels, space.group_id)
    first, second = (scaled_means({"step": factor * lengths}, part, RESAMPLES)["step"]
                     for factor, part in ((1, space), (100, stretched)))  # fmt: skip
    assert second["raw"]["value"] == pytest.approx(100 * first["raw"]["value"])
    for unit in ("per_separation", "per_spread"):
        for key in ("value", "error", "interval"):
            assert second[unit][key] == pytest.approx(first[unit][key])


def test_means_are_over_the_galaxies_that_have_a_length():
    lengths, space = toy_space()
    some = np.where(np.arange(300) < 60, lengths, np.nan)
    found = scaled_means({"some": some, "all": lengths}, space, RESAMPLES)
    scale = class_separation(space.latents, space.labels)
    assert found["some"]["n"] == found["some"]["n_groups"] == 60
    assert found["some"]["raw"]["value"] == pytest.approx(lengths[:60].mean())
    assert found["some"]["per_spread"]["value"] == pytest.approx(lengths[:60].mean() / scale["spread"])
    assert found["all"]["per_separation"]["value"] == pytest.approx(lengths.mean() / scale["separation"])
    with pytest.raises(ValueError, match="no galaxy has a none"):
        scaled_means({"none": np.full(300, np.nan)}, space)


def test_errors_are_the_scatter_of_repeated_skies():
    found = [(scaled_means({"step": lengths}, space, 100)["step"]["per_separation"], scale_of(space, 100)["spread"])
             for lengths, space in (toy_space(120, seed=seed) for seed in range(100))]  # fmt: skip
    for scores in zip(*found):
        scatter = np.std([score["value"] for score in scores], ddof=1)
        error = np.mean([score["error"] for score in scores])
        assert error == pytest.approx(scatter, rel=0.25)  # 100 skies know their scatter within 7 %: 3.5 sigma


def test_views_of_a_group_are_no_new_galaxies():
    # Four copies of everything must not halve the error.
    alone, four = (scaled_means({"step": toy_space(n, views=views)[0]}, toy_space(n, views=views)[1], 1000)["step"]
                   for n, views in ((90, 1), (360, 4)))  # fmt: skip
    for unit in UNITS:
        assert four[unit]["error"] == pytest.approx(alone[unit]["error"], rel=1e-6)
    alone, four = (scale_of(toy_space(n, views=views)[1], 1000) for n, views in ((90, 1), (360, 4)))
    for name in ("separation", "spread"):
        assert four[name]["error"] == pytest.approx(alone[name]["error"], rel=1e-6)


def test_one_group_has_a_value_and_no_error():
    lengths, space = toy_space()
    found = scaled_means({"step": np.where(np.arange(300) < 1, lengths, np.nan)}, space, RESAMPLES)["step"]
    assert found["raw"] == {"value": pytest.approx(lengths[0]), "error": None, "interval": None}


def test_ratio_of_a_stretched_space_is_one_in_its_own_units():
    lengths, space = toy_space()
    stretched = LatentSpace(3 * space.latents, space.labels, space.group_id)
    found = paired_ratio((lengths, space), (3 * lengths, stretched), RESAMPLES)
    assert found["raw"]["value"] == pytest.approx(3)
    for unit in ("per_separation", "per_spread"):
        assert found[unit]["value"] == pytest.approx(1)
        assert found[unit]["interval"] == pytest.approx([1, 1])  # the same galaxies are resampled in both


def test_ratio_takes_galaxies_that_both_have():
    lengths, space = toy_space()
    first = np.where(np.arange(300) < 200, lengths, np.nan)
    second = np.where(np.arange(300) >= 100, 1.5 * lengths, np.nan)
    found = paired_ratio((first, space), (second, space), RESAMPLES)
    assert found["n"] == 100 and found["raw"]["value"] == pytest.approx(1.5)


def test_interval_of_a_ratio_covers_the_truth():
    hits = 0
    for seed in range(100):
        lengths, space = toy_space(90, seed=seed)
        rng = np.random.default_rng([seed, 7])
        second = 1.3 * lengths * rng.uniform(0.5, 1.5, len(lengths))
        low, high = paired_ratio((lengths, space), (second, space), 200)["raw"]["interval"]
        hits += low < 1.3 < high
    assert 86 <= hits <= 100  # 95 expected; a binomial is below 86 once in 5,000


def test_ratio_of_other_galaxies_is_refused():
    lengths, space = toy_space()
    other = LatentSpace(space.latents, space.labels, space.group_id[::-1])
    with pytest.raises(ValueError, match="the group_id differ"):
        paired_ratio((lengths, space), (lengths, other))
