import numpy as np
import pytest

from photoz_morph.config import load_config
from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.redshift_grid import RedshiftGrid
from tests.support.redshifts import around_edges

GRID = RedshiftGrid()


@pytest.fixture(scope="module")
def builder(data_dir):
    return reading.open_dataset(data_dir)


def ids(batches):
    """A number that tells galaxies apart: their reddening, drawn at random."""
    return np.concatenate([inputs["ebv"].numpy() for inputs, _ in batches])


def test_batches_of_a_depth_hold_the_galaxies_of_that_depth(builder):
    columns = reading.read_columns(builder, "fold_0")
    for depth, wanted in (("deep", columns["obj_id"] % 3 == 0), ("shallow", columns["obj_id"] % 3 > 0)):
        train = dataset.PhotozBatches(builder, "fold_0", GRID, batch_size=1, depth=depth)
        assert train.n_galaxies == train.steps_per_epoch == wanted.sum() > 0
        assert set(ids(train.epoch(1, 0))) == set(columns["ebv"][wanted])
        seen = dataset.image_batches(builder, "fold_0", 8, depth)
        np.testing.assert_array_equal(np.concatenate([batch["ebv"] for batch in seen]), columns["ebv"][wanted])


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


def augmented(builder, overrides, seed, epoch):
    """Galaxies of one epoch by obj_id: their image and E(B-V)."""
    config = load_config("photoz_simulated.yaml", PhotozConfig, overrides)
    augmentations = dataset.augmentations_of(config)
    train = dataset.PhotozBatches(builder, "fold_0", GRID, batch_size=8, augmentations=augmentations)
    ids = [train.obj_ids(seed, epoch, batch) for batch in range(train.steps_per_epoch)]
    batches = [inputs for inputs, _ in train.epoch(seed, epoch)]
    seen = {name: np.concatenate([batch[name] for batch in batches]) for name in ("image", "ebv")}
    return {obj_id: (image, ebv) for obj_id, image, ebv in zip(np.concatenate(ids), seen["image"], seen["ebv"])}


def test_extra_extinction_depends_on_seed_epoch_and_galaxy_and_leaves_all_else_as_it_was(builder):
    plain, dusty, again, later = (
        augmented(builder, overrides, 5, epoch)
        for overrides, epoch in (([], 0), *[(["data.extra_ebv=0.2"], epoch) for epoch in (0, 0, 1)])
    )
    extinction = np.array(load_config("photoz_simulated.yaml", PhotozConfig).survey.extinction_per_ebv)
    extra = {obj_id: dusty[obj_id][1] - ebv for obj_id, (_, ebv) in plain.items()}
    assert plain.keys() == dusty.keys() and min(extra.values()) >= 0 and max(extra.values()) > 0.1
    for obj_id, (image, _) in plain.items():
        dimmed = image * 10 ** (-0.4 * extra[obj_id] * extinction)
        np.testing.assert_allclose(dusty[obj_id][0], dimmed, rtol=1e-4, atol=1e-6)
        assert np.array_equal(dusty[obj_id][0], again[obj_id][0]) and dusty[obj_id][1] == again[obj_id][1]
    assert not any(dusty[obj_id][1] == later[obj_id][1] for obj_id in dusty.keys() & later.keys())


def test_shifts_and_rotations_depend_on_seed_epoch_and_galaxy(builder):
    options = ["data.shift=1.5", "data.rotation=any"]
    first, again, later = (augmented(builder, options, 5, epoch) for epoch in (0, 0, 1))
    plain = augmented(builder, [], 5, 0)
    for obj_id, (image, ebv) in first.items():
        assert np.array_equal(image, again[obj_id][0]) and ebv == plain[obj_id][1]
        assert np.abs(image - plain[obj_id][0]).max() > 0.05 * plain[obj_id][0].max()
        np.testing.assert_allclose(image.sum(axis=(0, 1)), plain[obj_id][0].sum(axis=(0, 1)), rtol=1e-3, atol=1e-2)
    assert not any(np.array_equal(first[obj_id][0], later[obj_id][0]) for obj_id in first.keys() & later.keys())


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


def test_soft_target_has_the_redshift_as_mean_and_the_requested_width():
    z_spec = np.array([0.1, 0.1234, 0.3])
    target = dataset.bin_target(z_spec, GRID, 1.5).numpy().astype(float)
    np.testing.assert_allclose(target @ GRID.midpoints, z_spec, atol=1e-6)
    width = np.sqrt((target * (GRID.midpoints - z_spec[:, None]) ** 2).sum(axis=1))
    np.testing.assert_allclose(width, 1.5 * GRID.width, rtol=1e-3)


def test_redshifts_outside_the_grid_are_named():
    columns = {"obj_id": np.array([7, 8]), "z_spec": np.array([0.1, 0.55])}
    with pytest.raises(ValueError, match=r"1 galaxies have z_spec outside \[0.0, 0.4\], the first is 8 with 0.55"):
        dataset.check_redshifts(columns, GRID, "data")


@pytest.mark.parametrize("grid", [GRID, RedshiftGrid(0.0, 5.3, 300), RedshiftGrid(-0.01, 1.2, 77)])
@pytest.mark.parametrize("label_sigma", [0.0, 0.01, 1.5])
def test_every_redshift_that_passes_the_check_has_a_target_and_in_the_bin_that_is_scored(grid, label_sigma):
    z_spec = around_edges(grid)
    z_spec = z_spec[grid.contains(z_spec)]
    assert np.sum((z_spec < grid.z_min) | (z_spec > grid.z_max)) > 8 and len(z_spec) > 10 * grid.n_bins
    dataset.check_redshifts({"z_spec": z_spec, "obj_id": np.arange(len(z_spec))}, grid, "data")
    for z in (z_spec, z_spec.astype(np.float32)):
        z = z[grid.contains(z)]
        target = dataset.bin_target(z, grid, label_sigma).numpy()
        np.testing.assert_allclose(target.sum(axis=1), 1, atol=1e-5)
        if label_sigma == 0:
            np.testing.assert_array_equal(target.argmax(axis=1), grid.bin_index(z))
        else:  # on an edge both bins have nearly the same weight
            beside = target[np.arange(len(z)), grid.bin_index(z)]
            assert np.all(beside > 0.45 * target.sum(axis=1) / max(1, 2.6 * label_sigma))


@pytest.mark.parametrize("label_sigma", [0.0, 1.5])
def test_the_target_of_nan_is_nan(label_sigma):
    target = dataset.bin_target(np.array([np.nan, 0.1]), GRID, label_sigma).numpy()
    assert np.isnan(target[0]).all() and np.isfinite(target[1]).all()
