import numpy as np
import pytest

from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.dataset import open_dataset, read_scenes
from photoz_morph.blend.samples.batches import BlendBatches, read_images, training_counts, validation_batches
from photoz_morph.config import load_config
from tests.support.samples import BLEND_TINY


@pytest.fixture(scope="module")
def builder(blend_data_dir):
    return open_dataset(blend_data_dir)


@pytest.fixture(scope="module")
def scenes(builder):
    return {split: list(read_scenes(builder, split, with_source_images=True)) for split in ("train", "validation")}


def config_of(*overrides):
    return load_config("blend_unet.yaml", BlendConfig, [*BLEND_TINY, *overrides])


def epoch_of(builder, config, seed=1, epoch=0, n_latent=None):
    return list(BlendBatches(builder, config, 2, n_latent).epoch(seed, epoch).as_numpy_iterator())


def test_counts_of_the_training_images(builder, scenes):
    n_sources, n_pixels = training_counts(builder)
    assert n_sources == 2
    expected = sum(np.bincount(np.append(0, scene.truth["kind"])[scene.instances].ravel(), minlength=5)
                   for scene in scenes["train"])  # fmt: skip
    np.testing.assert_array_equal(n_pixels, expected)


def test_what_an_image_shows_depends_on_seed_and_epoch_but_not_on_the_batch(builder):
    of_eight, of_four = (
        np.concatenate([inputs["image"] for inputs, _ in epoch_of(builder, config_of(f"data.batch_size={n}"))])
        for n in (8, 4)
    )
    np.testing.assert_array_equal(of_eight, of_four[: len(of_eight)])
    config = config_of()
    other_epoch, other_seed = (epoch_of(builder, config, *of)[0][0]["image"] for of in ((1, 1), (2, 0)))
    assert not np.array_equal(of_eight[:8], other_epoch) and not np.array_equal(of_eight[:8], other_seed)


def test_names_of_the_images_of_a_batch_are_those_of_its_pixels(builder, scenes):
    config = config_of("data.crop=null", "data.augment=false")
    found = BlendBatches(builder, config, 2)
    images = list(found.epoch(3, 1).as_numpy_iterator())[1][0]["image"]
    by_id = {scene.obj_id: scene.image for scene in scenes["train"]}
    assert found.steps_per_epoch == 42 // 8
    for obj_id, image in zip(found.obj_ids(3, 1, 1), images, strict=True):
        np.testing.assert_array_equal(image, by_id[obj_id])


def test_validation_images_are_whole_and_in_their_order(builder, scenes):
    inputs, truth = next(validation_batches(builder, config_of(), "validation[:4]", 2).as_numpy_iterator())
    for image, classes, scene in zip(inputs["image"], truth["semantic"], scenes["validation"]):
        np.testing.assert_array_equal(image, scene.image)
        np.testing.assert_array_equal(classes, np.append(0, scene.truth["kind"])[scene.instances])
    assert len(inputs["image"]) == 4


def test_a_deblender_is_shown_the_galaxy_in_the_middle_without_noise(builder, scenes):
    config = load_config("blend_deblend_plain.yaml", BlendConfig, ["data.batch_size=8"])
    images = read_images(builder, "train", config).as_numpy_iterator()
    found = {example["obj_id"]: example["truth"] for example in images}
    for scene in scenes["train"]:
        distance = np.hypot(np.asarray(scene.truth["y"]) - 23.5, np.asarray(scene.truth["x"]) - 23.5)
        np.testing.assert_array_equal(found[scene.obj_id], scene.source_images[distance.argmin()])
        assert distance.min() < 2 and found[scene.obj_id].sum() > 0
    inputs, truth = epoch_of(builder, config)[0]
    # What is left without the galaxy is its neighbour and noise: less than the image nearly everywhere it is bright.
    light = truth["galaxy"].sum(axis=-1)
    brightest = np.argmax(light.reshape(len(light), -1), axis=1)
    of_image = inputs["image"].sum(axis=-1).reshape(len(light), -1)
    ratio = of_image[np.arange(len(light)), brightest] / light.reshape(len(light), -1).max(axis=1)
    assert np.all(ratio > 0.8)


def test_draws_of_an_image_are_of_its_own(builder):
    config = load_config("blend_deblend.yaml", BlendConfig, ["model.width=4", "model.depth=2", "data.batch_size=8"])
    first, again = (epoch_of(builder, config, n_latent=3)[0][0]["noise"] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (8, 1, 3) and len(np.unique(first)) == first.size
