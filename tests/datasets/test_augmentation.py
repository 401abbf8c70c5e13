import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.datasets import augmentation


def test_eight_elements_of_the_dihedral_group_are_distinct_and_keep_the_pixels():
    image = np.random.default_rng(0).normal(size=(6, 6, 5)).astype(np.float32)
    images = [augmentation.dihedral(tf.constant(image), element).numpy() for element in range(8)]
    for element, turned in enumerate(images):
        np.testing.assert_array_equal(augmentation.dihedral_view(image, element), turned)
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


def test_catalogue_magnitudes_are_fainter_by_the_same_dust():
    seen = reddened(3, range(5), mags=tf.constant([20.0, 19.0, 18.0]))
    np.testing.assert_allclose(seen["mags"] - [20, 19, 18], (seen["ebv"] - 0.3)[:, None] * EXTINCTION, atol=2e-6)


SIZE = 48


def blob(row=0.0, column=0.0, angle=0.0):
    """Elongated Gaussian at a distance from the image's centre, its long axis at an angle from columns to rows."""
    rows, columns = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    rows, columns = rows - row, columns - column
    along, across = columns * np.cos(angle) + rows * np.sin(angle), rows * np.cos(angle) - columns * np.sin(angle)
    return np.exp(-0.5 * ((along / 3.5) ** 2 + (across / 1.8) ** 2))[..., None].astype(np.float32)


def moved(image, shift=(0.0, 0.0), angle=None):
    return augmentation.moved(tf.constant(image), tf.constant(shift, tf.float32), angle and tf.constant(angle)).numpy()


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.3, -0.7), (-2.45, 1.1)])
@pytest.mark.parametrize("angle", [None, 0.4, -0.785])
def test_an_image_turns_about_its_centre_and_then_moves_as_its_formula_says(shift, angle):
    turned = angle or 0.0
    row, column = 2.0 * np.cos(turned) + 4.0 * np.sin(turned), 4.0 * np.cos(turned) - 2.0 * np.sin(turned)
    expected = blob(row + shift[0], column + shift[1], 0.5 + turned)
    np.testing.assert_allclose(moved(blob(2.0, 4.0, 0.5), shift, angle), expected, atol=3e-3)  # 0.3 % of the peak


def test_a_whole_shift_is_a_roll():
    image = np.random.default_rng(1).normal(size=(SIZE, SIZE, 2)).astype(np.float32)
    np.testing.assert_allclose(moved(image, (2.0, -3.0)), np.roll(image, (2, -3), (0, 1)), atol=1e-5)


@pytest.mark.parametrize("angle", [None, 0.6])
def test_white_noise_stays_white_and_flux_is_kept(angle):
    noise = np.random.default_rng(2).normal(size=(SIZE, SIZE, 40)).astype(np.float32)
    after = moved(noise, (0.5, 0.37), angle)
    assert 1 - 3 / SIZE < after.var() / noise.var() < 1  # of the highest frequency alone; linear interpolation: 0.27
    np.testing.assert_allclose(after.sum(axis=(0, 1)), noise.sum(axis=(0, 1)), atol=0.02)
    for other in (after[1:], after[:, 1:]):
        assert abs(np.mean(after[: len(other), : other.shape[1]] * other)) < 4 / np.sqrt(noise.size) + 1 / SIZE


def test_displacements_are_uniform_and_those_of_the_seed_and_the_galaxy():
    image = tf.constant(blob())

    def centres(seed):
        galaxies = [{"image": image, "obj_id": tf.constant(obj_id, tf.int64)} for obj_id in range(60)]
        images = [augmentation.displace(one, seed, 1.5, False)["image"].numpy()[..., 0] for one in galaxies]
        places = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
        return np.array([[np.sum(axis * one) / one.sum() for axis in places] for one in images])

    shifts = centres(4)
    assert np.abs(shifts).max() < 1.51 and np.abs(shifts).max() > 1.3
    assert np.all(np.abs(shifts.mean(axis=0)) < 4 * 1.5 / np.sqrt(3 * 60)) and abs(np.corrcoef(shifts.T)[0, 1]) < 0.5
    assert np.array_equal(shifts, centres(4)) and np.abs(shifts - centres(5)).max() > 0.5
