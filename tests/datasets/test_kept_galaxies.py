import pickle
from functools import partial

import numpy as np
import pytest

from photoz_morph.datasets import kept_galaxies, reading
from photoz_morph.datasets.augmentation import augment, random_element
from photoz_morph.datasets.kept_galaxies import KeptGalaxies
from photoz_morph.system import shared_memory

NAMES = ("obj_id", "z_spec", "ebv", "n_frames")


@pytest.fixture
def builder(data_dir):
    return reading.open_dataset(data_dir)


@pytest.fixture
def passes(monkeypatch):
    """Split expressions of which images are read."""
    seen, read = [], reading.read_galaxies

    def counted(builder, split, features):
        seen.append(split)
        return read(builder, split, features)

    monkeypatch.setattr(kept_galaxies, "read_galaxies", counted)
    return seen


def test_kept_galaxies_are_those_of_the_dataset_in_its_order(builder):
    kept = KeptGalaxies(builder, NAMES)
    split = "fold_1[20:]+fold_0[:7]"
    kept.keep(split)
    features = {"image": True, "ebv": True, "obj_id": True}
    expected = reading.read_galaxies(builder, split, features).as_numpy_iterator()
    for galaxy, other in zip(kept.galaxies(split, ("ebv", "obj_id")).as_numpy_iterator(), expected, strict=True):
        assert set(galaxy) == set(other)
        for name, values in other.items():
            np.testing.assert_array_equal(galaxy[name], values)
            assert np.asarray(galaxy[name]).dtype == np.asarray(values).dtype


def test_each_galaxy_is_read_once_however_often_it_is_asked_for(builder, passes, monkeypatch):
    kept = KeptGalaxies(builder, NAMES)
    n = builder.info.splits["fold_1"].num_examples
    for split in ("fold_1[20:30]", "fold_1[:25]+fold_2", "fold_1", "fold_2[5:6]", "fold_1[20:]"):
        assert kept.has(split) == (split in ("fold_2[5:6]", "fold_1[20:]"))
        kept.keep(split)
    assert passes == ["fold_1[20:30]", "fold_1[0:20]", f"fold_2[0:{builder.info.splits['fold_2'].num_examples}]",
                      f"fold_1[30:{n}]"]  # fmt: skip
    expected = reading.read_columns(builder, "fold_2+fold_1[3:]")
    monkeypatch.setattr(reading, "read_columns", None)  # what was kept is not read again for its columns
    for name, values in kept("fold_2+fold_1[3:]").items():
        np.testing.assert_array_equal(values, expected[name])


@pytest.mark.skipif(not shared_memory.IS_POSSIBLE, reason="this system has no memfd_create")
def test_processes_that_share_memory_read_each_galaxy_once(builder, passes):
    parent, *others = (KeptGalaxies(builder, NAMES) for _ in range(3))
    with parent.shared_memory() as memory:
        for kept in others:
            kept.share(pickle.loads(pickle.dumps(memory)))  # as in a process of its own
        others[0].keep("fold_1[20:30]")
        others[1].keep("fold_1[15:30]+fold_0[:3]")
        assert passes == ["fold_1[20:30]", "fold_1[15:20]", "fold_0[0:3]"]
        expected = memory.used()
    alone = KeptGalaxies(builder, NAMES)
    alone.keep("fold_1[15:30]+fold_0[:3]")
    for kept in others:
        for split in ("fold_1[15:30]", "fold_1[22:30]"):
            assert kept.has(split)
            ours, theirs = (each.galaxies(split, ("ebv", "obj_id")).as_numpy_iterator() for each in (kept, alone))
            for galaxy, other in zip(ours, theirs, strict=True):
                for name, values in other.items():
                    np.testing.assert_array_equal(galaxy[name], values)
    assert not others[0].has("fold_0[:3]")  # the memory of a split that it has not asked for is not open there
    assert expected < 40 * 64 * 64 * 5 * 4


def test_shuffling_takes_the_order_of_a_dataset_of_the_galaxies_themselves(builder):
    kept = KeptGalaxies(builder, NAMES)
    kept.keep("fold_0+fold_1")

    def shuffled(galaxies):
        return galaxies.shuffle(1000, seed=5, reshuffle_each_iteration=False)

    ours = kept.galaxies("fold_0+fold_1", ("obj_id",), shuffled)
    theirs = shuffled(reading.read_galaxies(builder, "fold_0+fold_1", {"image": True, "obj_id": True}))
    for galaxy, other in zip(ours.as_numpy_iterator(), theirs.as_numpy_iterator(), strict=True):
        assert galaxy["obj_id"] == other["obj_id"] and np.array_equal(galaxy["image"], other["image"])


def test_batches_hold_the_same_galaxies_each_under_its_own_element(builder):
    kept = KeptGalaxies(builder, NAMES)
    split = "fold_1[20:]+fold_0[:7]"
    kept.keep(split)
    galaxies = list(kept.galaxies(split, ("ebv", "obj_id")).as_numpy_iterator())
    plain = list(kept.batches(split, ("ebv",), 5).as_numpy_iterator())
    assert [len(batch["image"]) for batch in plain[:-1]] == [5] * (len(plain) - 1)
    np.testing.assert_array_equal(np.concatenate([batch["image"] for batch in plain]), [g["image"] for g in galaxies])
    np.testing.assert_array_equal(np.concatenate([batch["ebv"] for batch in plain]), [g["ebv"] for g in galaxies])

    element_of = partial(random_element, 3)
    turned = list(kept.batches(split, ("obj_id",), 5, element_of=element_of, drop_remainder=True).as_numpy_iterator())
    assert len(turned) == len(galaxies) // 5 and set(turned[0]) == {"image", "obj_id"}
    images = np.concatenate([batch["image"] for batch in turned])
    expected = [augment(galaxy, 3)["image"] for galaxy in galaxies[: len(images)]]
    np.testing.assert_array_equal(images, expected)
    assert not np.array_equal(images, [galaxy["image"] for galaxy in galaxies[: len(images)]])
