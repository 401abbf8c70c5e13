import numpy as np

from photoz_morph.config import load_config
from photoz_morph.morph import dataset
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.dataset import MorphBatches
from photoz_morph.morph.experiment import MorphExperiment
from photoz_morph.training.fit import choose_strategy, fit
from photoz_morph.training.passes import SeveralPasses
from tests.support.samples import MORPH_TINY


def test_an_epoch_is_the_next_passes_one_after_the_other(morph_data_dir):
    config = load_config("morph_regular.yaml", MorphConfig, ["data.batch_size=16", "data.n_labels=40"])
    batches = MorphBatches(dataset.open_dataset(morph_data_dir), config.data)
    several = SeveralPasses(batches, 3)
    assert (batches.steps_per_epoch, several.steps_per_epoch) == (2, 6)
    expected = [images["source"] for number in (3, 4, 5) for images, _ in batches.epoch(7, number)]
    found = [images["source"] for images, _ in several.epoch(7, 1)]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(several.obj_ids(7, 1, 3), batches.obj_ids(7, 4, 1))



def test_training_on_few_labels_is_validated_and_kept_every_hundred_steps_or_so(morph_data_dir, tmp_path):
    options = ["data.n_labels=40", "train.iterations=150", "train.class_weights=false"]
    config = load_config("morph_convnet.yaml", MorphConfig, [*MORPH_TINY, "adaptation={name: none}", *options])
    history = fit(MorphExperiment(config, morph_data_dir).fold(0), tmp_path, 1, choose_strategy("none"))
    assert [(row["epoch"], row["iterations"]) for row in history] == [(1, 100), (2, 150)]
    assert history[-1]["learning_rate"] < 1e-5  # a cosine to zero over all of them
