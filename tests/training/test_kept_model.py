import keras
import numpy as np
import pytest

from photoz_morph.config import load_config
from photoz_morph.models.loading import load_network
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import PhotozExperiment
from photoz_morph.training.fit import choose_strategy, fit
from photoz_morph.training.kept_model import KeptModel
from tests.support.samples import PSF_MATCHED, TINY


def network(units, seed):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units, kernel_initializer=initializer(seed))])
    model.compile(keras.optimizers.Adam(), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def initializer(seed):
    return keras.initializers.GlorotUniform(seed=seed)


def test_the_second_network_has_its_own_start_in_the_model_of_the_first():
    keep, first, second = KeptModel(), network(2, 1), network(2, 2)
    assert keep(first) is first
    first.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0)
    assert keep(second) is first
    for a, b in zip(first.variables + first.optimizer.variables, second.variables + second.optimizer.variables):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="has other variables than the network that was trained before it"):
        keep(network(4, 3))


def test_a_network_does_not_depend_on_those_that_its_process_trained_before(data_dir, tmp_path):
    options = ["train.ema_momentum=0.8", "train.auxiliary_weight=0.2"]
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, *PSF_MATCHED, *options])
    fold, models = PhotozExperiment(config, data_dir).fold(0), []
    keep = fold.kept_model
    fold.kept_model = lambda model: models.append(keep(model)) or models[-1]
    for name, seed in (("before", 3), ("after", 4)):
        fit(fold, tmp_path / name, seed, choose_strategy("none"))
    assert models[0] is models[1]
    alone = PhotozExperiment(config, data_dir).fold(0)
    fit(alone, tmp_path / "alone", 4, choose_strategy("none"))
    weights = [load_network(tmp_path / name / "model.keras").get_weights() for name in ("after", "alone", "before")]
    assert all(np.array_equal(a, b) for a, b in zip(*weights[:2], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(weights[0], weights[2], strict=True))
