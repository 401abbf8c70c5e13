import numpy as np
import pytest

from photoz_morph.config import load_config
from photoz_morph.datasets import reading
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import PhotozExperiment
from tests.support.samples import PIXELS_ALONE

SHALLOW = [*PIXELS_ALONE, "data.train_on=shallow"]


@pytest.fixture(scope="module")
def plain(data_dir):
    """The training batches of the shallow galaxies alone."""
    return PhotozExperiment(load_config("photoz_simulated.yaml", PhotozConfig, SHALLOW), data_dir).fold(0).train


@pytest.fixture(scope="module")
def both(data_dir):
    options = ["adaptation={name: mmd, target_depth: deep}"]
    config = load_config("photoz_simulated.yaml", PhotozConfig, SHALLOW + options)
    return PhotozExperiment(config, data_dir).fold(0).train


def test_an_epoch_is_that_of_the_source_with_as_many_galaxies_of_the_target(plain, both):
    assert both.steps_per_epoch == plain.steps_per_epoch > both.target.steps_per_epoch
    steps = 0
    for (inputs, target), (expected, same) in zip(both.epoch(3, 1), plain.epoch(3, 1), strict=True):
        np.testing.assert_array_equal(target, same)
        for name, values in expected.items():
            np.testing.assert_array_equal(inputs["source"][name], values)
            assert inputs["target"][name].shape == values.shape
        steps += 1
    assert steps == both.steps_per_epoch


def test_target_galaxies_are_deep_and_neither_of_the_test_fold_nor_of_the_validation(both, data_dir):
    builder = reading.open_dataset(data_dir)
    seen = np.concatenate([both.obj_ids(3, 1, batch)[both.batch_size :] for batch in range(both.steps_per_epoch)])
    assert np.all(seen % 3 == 0)  # those are the deep ones
    for split in ("fold_0", "fold_1[:20]"):
        assert not set(seen) & set(reading.read_columns(builder, split)["obj_id"])
    once = both.target.steps_per_epoch * both.batch_size
    assert len(set(seen[:once])) == once  # a pass shows each at most once, and another begins when it ends
    assert both.obj_ids(3, 1, 0)[both.batch_size :].tolist() != both.obj_ids(3, 2, 0)[both.batch_size :].tolist()


def test_the_identifiers_are_those_of_the_images(both, data_dir):
    builder = reading.open_dataset(data_dir)
    splits = [builder.as_dataset(split=f"fold_{fold}") for fold in range(5)]
    images = {int(galaxy["obj_id"]): galaxy["image"] for split in splits for galaxy in split}
    batch = both.target.steps_per_epoch  # the first of a second pass through the target
    inputs = list(both.epoch(3, 0))[batch][0]
    for place, obj_id in enumerate(both.obj_ids(3, 0, batch)):
        domain, row = ("source", place) if place < both.batch_size else ("target", place - both.batch_size)
        shown = inputs[domain]["image"][row]
        np.testing.assert_array_equal(np.sort(np.ravel(shown)), np.sort(np.ravel(images[obj_id])))  # moved at most
