import numpy as np
import pytest
import tensorflow as tf

from photoz_morph.catalogs.folds import assign_fold
from photoz_morph.datasets import augmentation, reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.splits import cross_validation_splits
from photoz_morph.redshift_grid import RedshiftGrid

GRID = RedshiftGrid()


@pytest.fixture(scope="module")
def builder(data_dir):
    return reading.open_dataset(data_dir)


def ids(batches):
    """A number that tells galaxies apart: their reddening, drawn at random."""
    return np.concatenate([inputs["ebv"].numpy() for inputs, _ in batches])


def test_eight_elements_of_the_dihedral_group_are_distinct_and_keep_the_pixels():
    image = np.random.default_rng(0).normal(size=(6, 6, 5)).astype(np.float32)
    images = [augmentation.dihedral(tf.constant(image), element).numpy() for element in range(8)]
    reference = [np.rot90(side, k) for side in (image, image[:, ::-1]) for k in range(4)]
    assert {moved.tobytes() for moved in images} == {np.ascontiguousarray(moved).tobytes() for moved in reference}
    assert np.array_equal(images[0], image)


def test_training_validation_and_test_are_disjoint_and_complete(builder):
    for fold in range(5):
        splits = cross_validation_splits(builder, fold, n_validation=20)
        expressions = (splits.train, splits.validation, splits.test)
        parts = [reading.read_columns(builder, split)["obj_id"] for split in expressions]
        assert len(parts[1]) == 20
        assert sorted(np.concatenate(parts)) == list(range(300))


def test_smaller_training_sets_lie_in_larger_ones(builder):
    sizes = dataset.split_sizes(builder)
    larger = None
    for fraction in (0.8, 0.5, 0.2, 0.02):
        splits = cross_validation_splits(builder, 0, 20, fraction)
        parts = [set(reading.read_columns(builder, part)["obj_id"]) for part in (splits.train, splits.validation)]
        assert not parts[0] & parts[1] and len(parts[1]) == 20
        assert larger is None or parts[0] < larger
        if fraction < 0.8:  # of the whole dataset, up to the galaxy of each fold that rounding gives or takes
            assert abs(len(parts[0]) - fraction * (sum(sizes) - sizes[0]) * 5 / 4) <= 2
        larger = parts[0]
    with pytest.raises(ValueError, match="train_fraction is 0.001: fewer than one galaxy per fold"):
        cross_validation_splits(builder, 0, 20, 0.001)
    with pytest.raises(ValueError, match="train_fraction is 0.9; one fold is the test set, the maximum is 0.8"):
        cross_validation_splits(builder, 0, 20, 0.9)


def test_batches_of_a_depth_hold_the_galaxies_of_that_depth(builder):
    columns = reading.read_columns(builder, "fold_0")
    for depth, wanted in (("deep", columns["obj_id"] % 3 == 0), ("shallow", columns["obj_id"] % 3 > 0)):
        train = dataset.PhotozBatches(builder, "fold_0", GRID, batch_size=1, depth=depth)
        assert train.n_galaxies == train.steps_per_epoch == wanted.sum() > 0
        assert set(ids(train.epoch(1, 0))) == set(columns["ebv"][wanted])
        seen = dataset.image_batches(builder, "fold_0", 8, depth)
        np.testing.assert_array_equal(np.concatenate([batch["ebv"] for batch in seen]), columns["ebv"][wanted])


def test_copies_of_a_galaxy_share_a_fold(builder):
    for fold in range(5):
        columns = reading.read_columns(builder, f"fold_{fold}")
        assert np.all(assign_fold(columns["group_id"]) == fold)
        assert np.all(np.unique(columns["group_id"], return_counts=True)[1] == 2)


def test_an_epoch_is_a_function_of_seed_and_number(builder):
    train = dataset.PhotozBatches(builder, "fold_0+fold_1", GRID, batch_size=8)
    again = dataset.PhotozBatches(builder, "fold_0+fold_1", GRID, batch_size=8)
    first = list(train.epoch(seed=5, epoch=0))
    for (inputs, target), (inputs_again, target_again) in zip(first, again.epoch(seed=5, epoch=0), strict=True):
        assert np.array_equal(inputs["image"], inputs_again["image"]) and np.array_equal(target, target_again)
    assert not np.array_equal(ids(first), ids(train.epoch(seed=5, epoch=1)))
    assert not np.array_equal(ids(first), ids(train.epoch(seed=6, epoch=0)))


def test_an_epoch_shows_each_galaxy_once_and_only_full_batches(builder):
    train = dataset.PhotozBatches(builder, "fold_0", GRID, batch_size=7)
    seen = ids(train.epoch(seed=1, epoch=3))
    assert len(seen) == train.steps_per_epoch * 7 and len(np.unique(seen)) == len(seen)


def test_augmentation_moves_pixels_of_a_galaxy_but_keeps_its_flux(builder):
    train = dataset.PhotozBatches(builder, "fold_0", GRID, batch_size=1)
    versions = {}
    for epoch in range(3):
        for inputs, _ in train.epoch(seed=1, epoch=epoch):
            versions.setdefault(float(inputs["ebv"][0]), []).append(inputs["image"].numpy())
    flux = [[image.sum(dtype=float) for image in images] for images in versions.values()]
    np.testing.assert_allclose(np.ptp(flux, axis=1), 0, atol=1e-3)
    moved = [not np.array_equal(images[0], images[1]) for images in versions.values()]
    assert 0.75 < np.mean(moved) < 0.97  # one of eight elements repeats by chance


def test_batches_give_what_the_stacks_hold(builder, stacks_dir):
    from photoz_morph.shards.stacks import find_shards, read_shard

    images, table, _ = read_shard(find_shards(stacks_dir)[0])
    columns = reading.read_columns(builder, "fold_2")
    batches = dataset.image_batches(builder, "fold_2", 16).as_numpy_iterator()
    stored = np.concatenate([batch["image"] for batch in batches])
    for image, obj_id, z_spec in zip(stored, columns["obj_id"], columns["z_spec"]):
        if obj_id < 150:
            assert np.array_equal(image, images[obj_id]) and z_spec == table["z_spec"][obj_id]


def test_hard_target_is_the_bin_of_the_grid():
    z_spec = np.array([0.0, 0.1, 0.2222, 0.4])
    target = dataset.bin_target(z_spec, GRID, 0.0).numpy()
    assert np.array_equal(target.argmax(axis=1), GRID.bin_index(z_spec)) and np.all(target.sum(axis=1) == 1)


def test_soft_target_has_the_redshift_as_mean_and_the_width_asked_for():
    z_spec = np.array([0.1, 0.1234, 0.3])
    target = dataset.bin_target(z_spec, GRID, 1.5).numpy().astype(float)
    np.testing.assert_allclose(target @ GRID.midpoints, z_spec, atol=1e-6)
    width = np.sqrt((target * (GRID.midpoints - z_spec[:, None]) ** 2).sum(axis=1))
    np.testing.assert_allclose(width, 1.5 * GRID.width, rtol=1e-3)


def test_errors_name_what_is_wrong(builder, tmp_path):
    with pytest.raises(FileNotFoundError, match="photoz build"):
        reading.open_dataset(tmp_path)
    with pytest.raises(ValueError, match="no fold 5, the dataset has 5"):
        cross_validation_splits(builder, 5, 20)
    with pytest.raises(ValueError, match="data.n_validation is 500, but fold 1, from which it is taken, has"):
        cross_validation_splits(builder, 0, 500)
    columns = {"obj_id": np.array([7, 8]), "z_spec": np.array([0.1, 0.55])}
    with pytest.raises(ValueError, match=r"1 galaxies have z_spec outside \[0.0, 0.4\], the first is 8 with 0.55"):
        dataset.check_redshifts(columns, GRID, "data")
