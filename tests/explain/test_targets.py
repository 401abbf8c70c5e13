import numpy as np
import pytest

from photoz_morph.explain import targets
from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid(0.0, 0.4, 20)


def pdfs(n=6, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(GRID.n_bins, 0.4), n).astype("float32")


def value(target, output):
    n = len(next(iter(output.values())) if isinstance(output, dict) else output)
    return np.asarray(target(output, np.arange(n)))


def test_mean_median_and_width_are_those_of_the_redshift_grid():
    pdf = pdfs()
    np.testing.assert_allclose(value(targets.pdf_mean(GRID.midpoints), pdf), pdf @ GRID.midpoints, atol=1e-6)
    np.testing.assert_allclose(value(targets.pdf_median(GRID.edges), pdf), GRID.quantile(pdf, 0.5), atol=1e-5)
    width = GRID.quantile(pdf, 0.84) - GRID.quantile(pdf, 0.16)
    np.testing.assert_allclose(value(targets.pdf_width(GRID.edges), pdf), width, atol=1e-5)


@pytest.mark.parametrize("probability", [0.0, 1e-3, 1.0])
def test_quantiles_at_the_ends_lie_on_the_grid(probability):
    found = value(targets.pdf_quantile(GRID.edges, probability), pdfs())
    assert np.all(found >= GRID.z_min) and np.all(found <= GRID.z_max + 1e-6)


def test_mass_of_an_interval_is_the_difference_of_the_cumulative_distribution_at_its_ends():
    pdf = pdfs()
    mass = value(targets.interval_mass(GRID.edges, 0.113, 0.251), pdf)
    expected = GRID.cdf_at(pdf, np.full(6, 0.251)) - GRID.cdf_at(pdf, np.full(6, 0.113))
    np.testing.assert_allclose(mass, expected, atol=1e-5)


@pytest.mark.parametrize("low, high", [(0.2, 0.1), (0.5, 0.6)])
def test_an_interval_without_redshifts_is_refused(low, high):
    with pytest.raises(ValueError, match="is empty or outside the bins, 0.0 to 0.4"):
        targets.interval_mass(GRID.edges, low, high)


def test_entropy_of_equal_probabilities_is_the_logarithm_of_their_number():
    assert value(targets.entropy(), np.full((1, 8), 1 / 8, "float32")) == pytest.approx(np.log(8), rel=1e-6)
    assert value(targets.entropy(from_logits=True), np.zeros((1, 8), "float32")) == pytest.approx(np.log(8), rel=1e-6)
    assert value(targets.entropy(), np.eye(3, dtype="float32")) == pytest.approx(0)


def test_class_targets_are_those_of_each_galaxys_own_class():
    logits = np.random.default_rng(1).normal(size=(4, 3)).astype("float32")
    classes = np.array([2, 0, 1, 1])
    output, rows = {"logits": logits, "latent": logits}, np.arange(4)
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(value(targets.class_logit(classes), output), logits[rows, classes])
    np.testing.assert_allclose(
        value(targets.class_probability(classes), output), probability[rows, classes], rtol=1e-5
    )
    given = {"probability": probability.astype("float32")}
    of_probability = targets.class_probability(1, "probability", from_logits=False)
    np.testing.assert_allclose(of_probability(given, rows), probability[:, 1], rtol=1e-6)
    margin = [logits[row, own] - np.delete(logits[row], own).max() for row, own in enumerate(classes)]
    np.testing.assert_allclose(value(targets.logit_margin(classes), output), margin, rtol=1e-5)


def test_the_galaxy_of_a_row_says_its_class_not_the_place_in_the_batch():
    logits = np.arange(6, dtype="float32").reshape(2, 3)
    found = targets.class_logit(np.array([2, 0, 1]))(logits, np.array([2, 0]))
    np.testing.assert_array_equal(found, [1, 5])


def test_an_output_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="the network returns logits, latent, not 'pdf'"):
        targets.entropy()({"logits": np.ones((1, 2)), "latent": np.ones((1, 2))}, np.arange(1))
