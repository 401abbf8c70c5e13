import numpy as np
import pytest
from sklearn.metrics import r2_score

from photoz_morph.metrics.maps.parameters import parameter_scores


def gaussian(n=4000, factor=1.0):
    """Truths drawn from posteriors whose stated errors are `factor` times the real ones."""
    rng = np.random.default_rng(1)
    sigma = rng.uniform(0.1, 0.4, (n, 2))
    mean = rng.normal(size=(n, 2))
    return mean + sigma * rng.standard_normal((n, 2)), np.stack([mean, np.log(factor * sigma)], axis=-1)


def test_scores_are_those_of_the_definitions():
    true, posterior = gaussian()
    scores = parameter_scores(true, posterior, np.arange(len(true)), ["a", "b"], 200)
    for column, name in enumerate("ab"):
        row, error = scores[name], posterior[:, column, 0] - true[:, column]
        assert row["r2"][0] == pytest.approx(r2_score(true[:, column], posterior[:, column, 0]))
        assert row["rmse"][0] == pytest.approx(np.sqrt(np.mean(error**2)))
        assert row["bias"][0] == pytest.approx(error.mean())
        assert row["coverage_68"][0] == pytest.approx(0.6827, abs=0.03)
        assert row["coverage_95"][0] == pytest.approx(0.95, abs=0.015)
        assert row["coverage_68"][1] < 0.6827 < row["coverage_68"][2]


def test_errors_that_are_understated_cover_too_little_and_are_less_likely():
    right, wrong = (parameter_scores(*gaussian(factor=factor), np.arange(4000), ["a", "b"], 20)["a"]
                    for factor in (1, 0.5))  # fmt: skip
    assert wrong["coverage_68"][0] == pytest.approx(0.383, abs=0.03)  # within half a standard deviation
    assert wrong["likelihood"][0] < right["likelihood"][0] - 0.5 and wrong["rmse"] == right["rmse"]


def test_maps_of_a_simulation_count_as_one():
    true, posterior = gaussian(200)
    alone = parameter_scores(true, posterior, np.arange(200), ["a", "b"])["a"]["rmse"]
    copies = (np.repeat(array, 15, axis=0) for array in (true, posterior, np.arange(200)))
    assert parameter_scores(*copies, ["a", "b"])["a"]["rmse"] == pytest.approx(alone)


def test_what_does_not_fit_is_refused():
    true, posterior = gaussian(5)
    with pytest.raises(ValueError, match=r"posteriors have shape \(5, 2\), 2 parameters"):
        parameter_scores(true, posterior[..., 0], np.arange(5), ["a", "b"])
    posterior[2, 0, 1] = np.nan
    with pytest.raises(ValueError, match="a true parameter or a posterior is not finite; leave its field out"):
        parameter_scores(true, posterior, np.arange(5), ["a", "b"])
