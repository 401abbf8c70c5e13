import numpy as np
import pytest

from photoz_morph.config import load_config
from photoz_morph.datasets import reading
from photoz_morph.morph import dataset as morph_pipeline
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.dataset import MorphBatches


@pytest.fixture(scope="module")
def batches(morph_data_dir):
    config = load_config("morph_mmd.yaml", MorphConfig, ["data.batch_size=16", "data.augment=false"])
    return MorphBatches(morph_pipeline.open_dataset(morph_data_dir), config.data)


def test_an_epoch_is_a_function_of_seed_and_number(batches):
    def epoch(*key):
        return [(x["source"].sum(), x["target"].sum()) for x, _ in batches.epoch(*key).as_numpy_iterator()]

    assert epoch(1, 0) == epoch(1, 0)
    assert epoch(1, 0) != epoch(1, 1) and epoch(1, 0) != epoch(2, 0)


def test_source_and_target_are_drawn_apart(batches):
    ids = batches.obj_ids(1, 0, 0)
    assert len(ids) == 32 and list(ids[:16]) != list(ids[16:])


def test_named_galaxies_are_those_of_the_batch(batches, morph_data_dir):
    builder = morph_pipeline.open_dataset(morph_data_dir)
    columns = reading.read_columns(builder, "train")
    label = dict(zip(columns["obj_id"], columns["label"]))
    for number, (_, labels) in enumerate(batches.epoch(3, 2).take(3).as_numpy_iterator()):
        assert [label[obj_id] for obj_id in batches.obj_ids(3, 2, number)[:16]] == list(labels)


def test_augmentation_moves_pixels_and_keeps_their_values(morph_data_dir):
    config = load_config("morph_mmd.yaml", MorphConfig, ["data.batch_size=16"])
    builder = morph_pipeline.open_dataset(morph_data_dir)
    plain = MorphBatches(builder, load_config("morph_mmd.yaml", MorphConfig, ["data.batch_size=16", "data.augment=false"]).data)
    augmented = MorphBatches(builder, config.data)
    (before, _), (after, _) = (next(iter(b.epoch(1, 0).as_numpy_iterator())) for b in (plain, augmented))
    for domain in ("source", "target"):
        assert not np.array_equal(before[domain], after[domain])
        for image, moved in zip(before[domain], after[domain]):
            np.testing.assert_array_equal(np.sort(image, axis=None), np.sort(moved, axis=None))


def test_two_classes_are_mergers_and_the_rest():
    label = np.array([0, 1, 2, -1])
    assert list(morph_pipeline.class_index(label, "merger")) == [0, 0, 1, -1]
    assert list(morph_pipeline.class_index(label, "spiral_elliptical_merger")) == list(label)


def test_a_photoz_dataset_is_refused(data_dir):
    with pytest.raises(FileNotFoundError, match="make it with `morph build MOCKS"):
        morph_pipeline.open_dataset(data_dir)
    with pytest.raises(ValueError, match="holds sdss_ugriz, tng_lsst_mocks is needed"):
        morph_pipeline.open_dataset(data_dir / "sdss_ugriz" / "1.0.0")
