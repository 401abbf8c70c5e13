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


EXTINCTION = (4.0, 2.0, 0.0)


def reddened(seed, ids, extra_ebv=0.1, **more):
    """Galaxies of unit pixels and E(B-V) 0.3 behind more dust."""
    galaxy = {"image": tf.ones((2, 2, 3)), "ebv": tf.constant(0.3), **more}
    galaxies = [
        augmentation.redden({**galaxy, "obj_id": tf.constant(obj_id, tf.int64)}, seed, extra_ebv, EXTINCTION)
        for obj_id in ids
    ]
    return {name: np.stack([one[name] for one in galaxies]) for name in galaxies[0]}


def test_a_galaxy_behind_more_dust_is_dimmed_by_what_the_network_is_told():
    seen = reddened(seed=3, ids=range(20), sky_sigma=tf.constant([0.1, 0.2, 0.3]))
    extra = seen["ebv"] - 0.3
    magnitudes = extra[:, None] * np.array(EXTINCTION)
    dimmed = np.broadcast_to(magnitudes[:, None, None], seen["image"].shape)
    np.testing.assert_allclose(-2.5 * np.log10(seen["image"]), dimmed, atol=1e-6)
    np.testing.assert_allclose(seen["sky_sigma"], [0.1, 0.2, 0.3] * seen["image"][:, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(seen["image"] * 10 ** (0.4 * magnitudes[:, None, None]), 1, rtol=1e-6)  # dereddened
    assert np.all(extra >= 0) and np.all(extra <= 0.1)


def test_the_dust_is_uniform_and_that_of_the_seed_and_the_galaxy():
    extra = np.concatenate([reddened(seed, range(40))["ebv"] - 0.3 for seed in range(5)])
    assert len(np.unique(extra)) == 200
    assert abs(extra.mean() - 0.05) < 4 * 0.1 / np.sqrt(12 * 200) and extra.max() > 0.09 > 0.01 > extra.min()
    np.testing.assert_array_equal(reddened(4, range(40))["ebv"] - 0.3, extra[160:])
    np.testing.assert_array_equal(reddened(4, [7, 9])["ebv"], reddened(4, range(40))["ebv"][[7, 9]])
