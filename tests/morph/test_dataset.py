from types import SimpleNamespace

import numpy as np
import pytest

from photoz_morph.config import load_config
from photoz_morph.datasets import reading
from photoz_morph.morph import dataset
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.dataset import MorphBatches
from photoz_morph.training.auxiliary import AuxiliaryTargets

ALL = ("data.noise_augmentation=true", "data.pixel_augmentation=0.5")


@pytest.fixture(scope="module")
def batches(morph_data_dir):
    config = load_config("morph_mmd.yaml", MorphConfig, ["data.batch_size=16", "data.augment=false"])
    return MorphBatches(dataset.open_dataset(morph_data_dir), config.data)


def test_an_epoch_is_a_function_of_seed_and_number(batches):
    def epoch(*key):
        return [(x["source"].sum(), x["target"].sum()) for x, _ in batches.epoch(*key).as_numpy_iterator()]

    assert epoch(1, 0) == epoch(1, 0)
    assert epoch(1, 0) != epoch(1, 1) and epoch(1, 0) != epoch(2, 0)


def test_a_second_head_gets_gini_and_m20_of_the_labelled_galaxies(batches, morph_data_dir):
    builder = dataset.open_dataset(morph_data_dir)
    columns = reading.read_columns(builder, "train")
    targets = AuxiliaryTargets.of_training_set(columns, dataset.STRUCTURE, morph_data_dir)
    config = load_config("morph_mmd.yaml", MorphConfig, ["data.batch_size=16", "data.augment=false"])
    with_head = MorphBatches(builder, config.data, auxiliary=targets)
    images, labels = next(iter(with_head.epoch(3, 1)))
    rows = [list(columns["obj_id"]).index(obj_id) for obj_id in with_head.obj_ids(3, 1, 0)[:16]]
    expected = (columns["m20"][rows] - columns["m20"].mean()) / columns["m20"].std()
    np.testing.assert_allclose(labels["auxiliary"][:, 1], expected, atol=1e-5)
    assert labels["auxiliary"].shape == (16, 4)
    others, label = next(iter(batches.epoch(3, 1)))
    np.testing.assert_array_equal(labels["label"], label)
    np.testing.assert_array_equal(images["target"], others["target"])


def test_source_and_target_are_drawn_apart(batches):
    ids = batches.obj_ids(1, 0, 0)
    assert len(ids) == 32 and list(ids[:16]) != list(ids[16:])


def test_named_galaxies_are_those_of_the_batch(batches, morph_data_dir):
    builder = dataset.open_dataset(morph_data_dir)
    columns = reading.read_columns(builder, "train")
    label = dict(zip(columns["obj_id"], columns["label"]))
    for number, (_, labels) in enumerate(batches.epoch(3, 2).take(3).as_numpy_iterator()):
        assert [label[obj_id] for obj_id in batches.obj_ids(3, 2, number)[:16]] == list(labels)


def test_augmentation_moves_pixels_and_keeps_their_values(morph_data_dir):
    config = load_config("morph_mmd.yaml", MorphConfig, ["data.batch_size=16"])
    builder = dataset.open_dataset(morph_data_dir)
    keys = ["data.batch_size=16", "data.augment=false", "data.shift=0"]
    unmoved = load_config("morph_mmd.yaml", MorphConfig, keys)
    plain, augmented = MorphBatches(builder, unmoved.data), MorphBatches(builder, config.data)
    (before, _), (after, _) = (next(iter(b.epoch(1, 0).as_numpy_iterator())) for b in (plain, augmented))
    for domain in ("source", "target"):
        assert not np.array_equal(before[domain], after[domain])
        for image, moved in zip(before[domain], after[domain]):
            np.testing.assert_array_equal(np.sort(image, axis=None), np.sort(moved, axis=None))


def test_two_classes_are_mergers_and_the_rest():
    label = np.array([0, 1, 2, -1])
    assert list(dataset.class_index(label, "merger")) == [0, 0, 1, -1]
    assert list(dataset.class_index(label, "spiral_elliptical_merger")) == list(label)


def test_a_photoz_dataset_is_refused(data_dir):
    with pytest.raises(FileNotFoundError, match="make one with `morph build MOCKS"):
        dataset.open_dataset(data_dir)
    with pytest.raises(ValueError, match="holds sdss_ugriz, tng_lsst_mocks is needed"):
        dataset.open_dataset(data_dir / "sdss_ugriz" / "1.0.0")


def test_images_of_unknown_unit_are_refused():
    builder = SimpleNamespace(data_dir="arrays", info=SimpleNamespace(metadata={"origin": "released"}))
    with pytest.raises(ValueError, match="arrays: data.noise_augmentation needs images in nJy .* origin released"):
        dataset.noise_of(builder)


# Pairs and defences in training


def epoch(data_dir, *overrides, paired=False, number=0):
    """Images, labels and galaxies of the first batch of an epoch."""
    config = load_config("morph_regular.yaml", MorphConfig, ["data.batch_size=16", "data.shift=0", *overrides])
    batches = MorphBatches(dataset.open_dataset(data_dir), config.data, paired)
    images, labels = next(iter(batches.epoch(1, number).as_numpy_iterator()))
    return images, labels, batches.obj_ids(1, number, 0)


def by_obj_id(data_dir, domain):
    """Training images of one depth as they are stored."""
    builder = dataset.open_dataset(data_dir)
    images = np.concatenate(list(dataset.domain_images(builder, "train", domain, 64).as_numpy_iterator()))
    return dict(zip(reading.read_columns(builder, "train")["obj_id"], images))


def test_pairs_are_of_one_galaxy_under_one_flip(morph_data_dir):
    images, _, ids = epoch(morph_data_dir, paired=True)
    y10, y1 = (by_obj_id(morph_data_dir, domain) for domain in ("y10", "y1"))
    turns = [lambda x, k=k, flip=flip: np.rot90(x[::-1] if flip else x, k) for k in range(4) for flip in (0, 1)]
    seen = set()
    for row, obj_id in enumerate(ids):
        found = [n for n, turn in enumerate(turns) if np.array_equal(turn(y10[obj_id]), images["source"][row])]
        assert len(found) == 1
        np.testing.assert_array_equal(turns[found[0]](y1[obj_id]), images["target"][row])
        seen.add(found[0])
    assert len(ids) == 16 and len(seen) > 3


def test_pairs_are_moved_alike_by_whole_pixels(morph_data_dir):
    images, _, ids = epoch(morph_data_dir, "data.augment=false", "data.shift=3", paired=True)
    y10, y1 = (by_obj_id(morph_data_dir, domain) for domain in ("y10", "y1"))
    shifts = [(down, right) for down in range(-3, 4) for right in range(-3, 4)]
    seen = set()
    for row, obj_id in enumerate(ids):
        found = [s for s in shifts if np.array_equal(np.roll(y10[obj_id], s, (0, 1)), images["source"][row])]
        assert len(found) == 1
        np.testing.assert_array_equal(np.roll(y1[obj_id], found[0], (0, 1)), images["target"][row])
        seen |= set(found)
    assert len(seen) > 8 and {down for down, _ in seen} >= {-3, 3} and {right for _, right in seen} >= {-3, 3}


def test_depths_that_are_no_pairs_are_moved_apart(morph_data_dir):
    keys = ["data.batch_size=150", "data.augment=false", "data.shift=3"]
    config = load_config("morph_regular.yaml", MorphConfig, keys)
    batches = MorphBatches(dataset.open_dataset(morph_data_dir), config.data)
    images, _ = next(iter(batches.epoch(1, 0).as_numpy_iterator()))
    ids = np.split(batches.obj_ids(1, 0, 0), 2)
    shifts = []
    for domain, shown, of_domain in zip(("y10", "y1"), images.values(), ids):
        stored = by_obj_id(morph_data_dir, domain)
        peaks = {
            obj_id: np.subtract(*(np.unravel_index(x[..., 0].argmax(), x.shape[:2]) for x in (image, stored[obj_id])))
            for obj_id, image in zip(of_domain, shown)
        }
        shifts.append(peaks)
    both = set(ids[0]) & set(ids[1])
    assert len(both) > 50 and np.mean([(shifts[0][i] == shifts[1][i]).all() for i in both]) < 0.2


def test_pairing_leaves_the_labelled_images_as_they_are(morph_data_dir):
    (alone, labels, _), (paired, paired_labels, _) = (epoch(morph_data_dir, paired=p) for p in (False, True))
    np.testing.assert_array_equal(alone["source"], paired["source"])
    np.testing.assert_array_equal(labels, paired_labels)
    assert not np.array_equal(alone["target"], paired["target"])


def test_augmentations_change_the_labelled_images_alone_and_follow_from_seed_and_epoch(morph_data_dir):
    (plain, labels, ids), *changed = (epoch(morph_data_dir, *overrides) for overrides in ((), ALL, ALL))
    for images, changed_labels, changed_ids in changed:
        np.testing.assert_array_equal(plain["target"], images["target"])
        np.testing.assert_array_equal(labels, changed_labels)
        np.testing.assert_array_equal(ids, changed_ids)
        assert not np.array_equal(plain["source"], images["source"])
        np.testing.assert_array_equal(images["source"], changed[0][0]["source"])


def test_another_epoch_has_other_noise_and_pixels(morph_data_dir):
    """By the changes of each galaxy that two epochs share in their first batches, flips left out."""
    keys = ["data.batch_size=150", "data.augment=false", "data.shift=0", *ALL]
    config = load_config("morph_regular.yaml", MorphConfig, keys)
    batches = MorphBatches(dataset.open_dataset(morph_data_dir), config.data)
    sums = []
    for number in (0, 1):
        images, _ = next(iter(batches.epoch(1, number).as_numpy_iterator()))
        sums.append(dict(zip(batches.obj_ids(1, number, 0)[:150], images["source"].sum(axis=(1, 2, 3)))))
    shared = set(sums[0]) & set(sums[1])
    assert len(shared) > 80
    # In one of a hundred both epochs draw ten years, and a quarter of those get no pixel either time.
    assert np.mean([sums[0][obj_id] != sums[1][obj_id] for obj_id in shared]) > 0.95


def test_random_pixels_span_the_training_images(morph_data_dir):
    plain, _, _ = epoch(morph_data_dir, "data.augment=false")
    changed, _, _ = epoch(morph_data_dir, "data.augment=false", "data.pixel_augmentation=1")
    stored = np.array(list(by_obj_id(morph_data_dir, "y10").values()))
    corners = np.array([stored.min(axis=(0, 1, 2)), stored.max(axis=(0, 1, 2))])
    rows, *place = np.nonzero((plain["source"] != changed["source"]).any(axis=3))
    assert list(rows) == list(range(16))
    assert np.all((changed["source"][(rows, *place)][:, None] == corners).any(axis=1))
