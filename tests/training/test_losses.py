import keras
import numpy as np
import pytest

from photoz_morph.metrics.redshifts.pdf_scores import crps
from photoz_morph.photoz.dataset import bin_target
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.training.losses import BinnedCrps, pdf_loss

GRID = RedshiftGrid()


def one_hot(bins, n_bins):
    return np.eye(n_bins, dtype=np.float32)[bins]


def test_a_uniform_pdf_costs_what_it_costs_in_cross_entropy():
    n_bins = 180
    uniform = np.full((n_bins, n_bins), 1 / n_bins, np.float32)
    truths = one_hot(np.arange(n_bins), n_bins)
    losses = [float(pdf_loss(name)(truths, uniform)) for name in ("cross_entropy", "crps")]
    assert losses == pytest.approx([np.log(n_bins)] * 2, rel=1e-4)  # the sum over bins is n / 6 up to 1 / (6 n)


def test_probability_in_a_near_bin_costs_less_than_in_a_far_one():
    pdf = np.float32([[0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]])
    target = np.float32([[1, 0, 0, 0, 0, 0]] * 2)
    near, far = BinnedCrps(reduction=None)(target, pdf)
    assert float(near) == pytest.approx(np.log(6)) and float(far) == pytest.approx(5 * np.log(6))
    by_bins = keras.losses.CategoricalCrossentropy(reduction=None)(target, pdf)
    assert float(by_bins[0]) == float(by_bins[1])


def test_it_is_the_score_of_the_predictions_up_to_the_width_of_a_bin():
    rng = np.random.default_rng(3)
    z_spec = rng.uniform(0.05, 0.3, 60)
    centre, width = z_spec + 0.02 * rng.normal(size=60), rng.uniform(0.01, 0.05, 60)
    pdf = np.exp(-0.5 * ((GRID.midpoints - centre[:, None]) / width[:, None]) ** 2)
    pdf /= pdf.sum(axis=1, keepdims=True)
    target = bin_target(z_spec, GRID, 0.0).numpy()
    loss = BinnedCrps(reduction=None)(target, np.float32(pdf)) * GRID.n_bins / (6 * np.log(GRID.n_bins)) * GRID.width
    np.testing.assert_allclose(loss, crps(z_spec, pdf, GRID), atol=0.6 * GRID.width)


def test_the_distribution_of_the_truths_is_the_best_pdf():
    """A proper score: no other PDF has a smaller mean loss over truths drawn from it."""
    rng = np.random.default_rng(5)
    truth = rng.dirichlet(np.ones(12)).astype(np.float32)
    loss = BinnedCrps(reduction=None)

    def mean_loss(pdf):
        return float(np.sum(truth * loss(np.eye(12, dtype=np.float32), np.tile(pdf, (12, 1)))))

    others = [mean_loss(rng.dirichlet(50 * truth + 0.1).astype(np.float32)) for _ in range(40)]
    assert mean_loss(truth) < min(others)


def test_a_saved_network_finds_its_loss(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, activation="softmax")])
    model.compile("sgd", BinnedCrps())
    model.save(tmp_path / "model.keras")
    assert isinstance(keras.models.load_model(tmp_path / "model.keras").loss, BinnedCrps)


@pytest.mark.parametrize("name", ["cross_entropy", "crps"])
def test_the_loss_of_logits_is_that_of_their_pdf(name):
    rng = np.random.default_rng(5)
    logits, target = rng.normal(size=(7, 20)).astype(np.float32), rng.dirichlet(np.ones(20), 7).astype(np.float32)
    of_logits, of_pdf = pdf_loss(name, from_logits=True), pdf_loss(name)
    pdf = keras.ops.softmax(logits)
    assert float(of_logits(target, logits)) == pytest.approx(float(of_pdf(target, pdf)), rel=1e-4)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(of_logits))
    assert float(again(target, logits)) == float(of_logits(target, logits))
