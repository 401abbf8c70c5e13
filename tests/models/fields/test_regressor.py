import keras
import numpy as np
import pytest

from photoz_morph.blend.baselines.power_ridge import fit_power_ridge
from photoz_morph.metrics.maps.parameters import parameter_scores
from photoz_morph.models.fields.gaussian_parameters import GaussianLikelihood
from photoz_morph.models.fields.regressor import field_regressor
from photoz_morph.models.loading import load_network
from photoz_morph.simulation.cosmology.lognormal import PARAMETERS, FieldSettings, log_density, simulate_fields

SMALL = dict(image_shape=(16, 16, 1), width=4, depth=2, n_hidden=8)


def trained(fields, parameters, epochs=15, batch_size=32, seed=1, **options):
    """A regressor of ln(1 + delta), and what it was trained with; for tests and as an example."""
    network = field_regressor(
        (*fields.shape[1:], 1), parameters.mean(axis=0), parameters.std(axis=0), seed=seed,
        offset=float(fields.mean()), deviation=float(fields.std()), **options,
    )  # fmt: skip
    n_steps = epochs * (len(fields) // batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, n_steps)
    network.compile(keras.optimizers.Adam(schedule), {"parameters": GaussianLikelihood()}, jit_compile=False)
    keras.utils.set_random_seed(seed)
    network.fit({"image": fields[..., None]}, {"parameters": parameters}, batch_size, epochs, verbose=0)
    return network


def test_the_answer_is_the_same_for_a_field_that_is_shifted_or_cut_elsewhere():
    network = field_regressor(**SMALL, seed=2)
    field = np.random.default_rng(1).normal(size=(3, 16, 16, 1)).astype(np.float32)
    expected = np.array(network({"image": field})["parameters"])
    for shift in ((4, 0), (8, 12)):  # cells of the last maps have 4 pixels
        shifted = np.roll(field, shift, axis=(1, 2))
        np.testing.assert_allclose(network({"image": shifted})["parameters"], expected, atol=1e-5)
    other = np.array(network({"image": field[::-1]})["parameters"])
    assert np.abs(other - expected).max() > 1e-4


def test_before_training_the_answer_is_what_is_known_without_a_field():
    network = field_regressor(**SMALL, centre=(0.3, 0.8, 5.0), scale=(0.1, 0.2, 3.0))
    posterior = np.array(network({"image": np.zeros((1, 16, 16, 1), np.float32)})["parameters"])
    np.testing.assert_allclose(posterior[0], [[0.3, np.log(0.1)], [0.8, np.log(0.2)], [5, np.log(3)]], atol=0.05)


def test_offset_and_deviation_put_the_pixels_in_units_of_their_scatter():
    field = np.random.default_rng(1).normal(size=(2, 16, 16, 1)).astype(np.float32)
    plain, scaled = field_regressor(**SMALL), field_regressor(**SMALL, offset=10.0, deviation=0.5)
    expected = np.array(plain({"image": field})["parameters"])
    np.testing.assert_allclose(scaled({"image": 10 + 0.5 * field})["parameters"], expected, atol=1e-4)


def test_a_saved_network_gives_the_same_numbers_and_trains_on(tmp_path):
    network = field_regressor(**SMALL)
    network.compile("adam", {"parameters": GaussianLikelihood()}, jit_compile=False)
    field, target = np.ones((4, 16, 16, 1), np.float32), np.full((4, 2), 0.5, np.float32)
    network.fit({"image": field}, {"parameters": target}, verbose=0)
    network.save(tmp_path / "network.keras")
    restored = load_network(tmp_path / "network.keras", compile=True)
    np.testing.assert_array_equal(
        restored({"image": field})["parameters"], network({"image": field})["parameters"]
    )
    assert restored.evaluate({"image": field}, {"parameters": target}, verbose=0) == pytest.approx(
        network.evaluate({"image": field}, {"parameters": target}, verbose=0)
    )


def test_sides_that_cannot_be_halved_and_pixels_without_scatter_are_refused():
    with pytest.raises(ValueError, match="images have 20 x 20 pixels, .* multiple of 16"):
        field_regressor((20, 20, 1))
    with pytest.raises(ValueError, match="model.deviation is 0"):
        field_regressor((16, 16, 1), depth=2, deviation=0)


def test_a_small_network_learns_the_parameters_with_honest_errors():
    """On 600 Gaussian fields it stays behind the power spectrum, which is all there is to know of them."""
    settings = FieldSettings(n_pixels=32, box_size=128.0)
    fields, parameters = simulate_fields(settings, range(900))
    fields, parameters = log_density(fields), parameters.astype(np.float32)
    network = trained(fields[:600], parameters[:600], width=8, depth=2, n_hidden=32)
    posterior = network.predict({"image": fields[600:, ..., None]}, verbose=0)["parameters"]
    by_network = parameter_scores(parameters[600:], posterior, np.arange(300), PARAMETERS, 100)
    ridge = fit_power_ridge(fields[:600], parameters[:600])
    by_power = parameter_scores(parameters[600:], ridge.posterior(fields[600:]), np.arange(300), PARAMETERS, 100)
    for name in PARAMETERS:
        assert by_network[name]["r2"][0] > 0.3, by_network
        assert by_power[name]["r2"][0] > 0.5, by_power
        assert 0.5 < by_network[name]["coverage_68"][0] < 0.85, by_network
        assert by_power[name]["coverage_68"][0] == pytest.approx(0.68, abs=0.1)
