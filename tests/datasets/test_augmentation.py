import numpy as np
import tensorflow as tf

from photoz_morph.datasets import augmentation


def test_eight_elements_of_the_dihedral_group_are_distinct_and_keep_the_pixels():
    image = np.random.default_rng(0).normal(size=(6, 6, 5)).astype(np.float32)
    images = [augmentation.dihedral(tf.constant(image), element).numpy() for element in range(8)]
    reference = [np.rot90(side, k) for side in (image, image[:, ::-1]) for k in range(4)]
    assert {moved.tobytes() for moved in images} == {np.ascontiguousarray(moved).tobytes() for moved in reference}
    assert np.array_equal(images[0], image)


def test_the_elements_are_a_group():
    """The product of any two is one of the eight."""
    image = tf.constant(np.arange(16, dtype=np.float32).reshape(4, 4, 1))
    elements = [augmentation.dihedral(image, element) for element in range(8)]
    known = {moved.numpy().tobytes() for moved in elements}
    products = {augmentation.dihedral(moved, element).numpy().tobytes() for moved in elements for element in range(8)}
    assert products == known and len(known) == 8


def test_augmentation_draws_all_elements_alike_by_seed_and_galaxy():
    image = tf.constant(np.arange(16, dtype=np.float32).reshape(4, 4, 1))
    ids = tf.data.Dataset.range(800).map(lambda obj_id: {"image": image, "obj_id": obj_id})
    drawn = [
        [galaxy["image"].tobytes() for galaxy in ids.map(lambda galaxy: augmentation.augment(galaxy, seed))
         .as_numpy_iterator()]
        for seed in (1, 1, 2)
    ]  # fmt: skip
    assert drawn[0] == drawn[1]
    counts = np.unique(drawn[0], return_counts=True)[1]
    assert len(counts) == 8 and np.abs(counts - 100).max() < 4 * np.sqrt(800 / 8 * 7 / 8)  # four sigma of a binomial
    assert 0.05 < np.mean(np.array(drawn[0]) == np.array(drawn[2])) < 0.2  # an eighth by chance
