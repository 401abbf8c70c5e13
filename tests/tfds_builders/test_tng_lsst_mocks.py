import numpy as np
import pytest

from photoz_morph.datasets import reading
from photoz_morph.morph import dataset
from photoz_morph.shards.mocks import mock_shard_path, write_mock_shard
from tests.support.samples import MOCK_HEADER, shape_mocks
from tfds_builders.tng_lsst_mocks import COPIES, build, build_released


def write(folder, n_galaxies=60, change=lambda table: None, header=MOCK_HEADER, index=0, years=(10, 1)):
    images, table = shape_mocks(n_galaxies, first_id=n_galaxies * index)
    change(table)
    write_mock_shard(mock_shard_path(folder, index), {y: images[10] for y in years}, table, header)
    return images, table


def columns_of(data_dir):
    builder = dataset.open_dataset(data_dir)
    return {split: reading.read_columns(builder, split) for split in dataset.SPLITS}


def test_both_depths_of_a_galaxy_come_back_from_one_example(mocks_dir, morph_data_dir):
    from photoz_morph.shards.mocks import find_mock_shards, read_mock_shard

    builder = dataset.open_dataset(morph_data_dir)
    columns = reading.read_columns(builder, "test")
    stored = {
        years: np.concatenate(list(dataset.domain_images(builder, "test", f"y{years}", 16).as_numpy_iterator()))
        for years in (10, 1)
    }
    found = 0
    for path in find_mock_shards(mocks_dir):
        images, table, _ = read_mock_shard(path)
        for row, obj_id in enumerate(table["obj_id"]):
            for place in np.flatnonzero(columns["obj_id"] == obj_id):
                found += 1
                assert columns["gini"][place] == table["gini"][row]
                for years in (10, 1):
                    np.testing.assert_array_equal(stored[years][place], images[years][row])
    assert found == len(columns["obj_id"])
    assert builder.info.metadata["origin"] == "simulated" and builder.info.metadata["binning"] == "sample"


def test_views_of_a_galaxy_share_a_split(morph_data_dir):
    groups = [set(columns["group_id"]) for columns in columns_of(morph_data_dir).values()]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]


def test_copies_of_mergers_stay_in_the_split_of_the_original(tmp_path):
    write(tmp_path, 120)
    counts = build(tmp_path, tmp_path / "data", merger_copies=4, progress=False)
    columns = columns_of(tmp_path / "data")
    assert counts["copies"] == 4 * 40
    for split, found in columns.items():
        assert len(found["obj_id"]) == counts[split]
        mergers = found["label"] == 2
        assert not found["copy"][~mergers].any()
        for obj_id in set(found["obj_id"][mergers]):
            assert sorted(found["copy"][found["obj_id"] == obj_id]) == [0, 1, 2, 3, 4]


def test_the_copies_are_five_different_symmetries():
    image = np.arange(3 * 3 * 1.0).reshape(3, 3, 1)
    copies = [np.ascontiguousarray(copy(image)) for copy in COPIES]
    assert len({copy.tobytes() for copy in copies}) == 5
    assert all(sorted(copy.ravel()) == sorted(image.ravel()) for copy in copies)


def test_galaxies_without_a_label_are_counted_and_left_out(tmp_path):
    def change(table):
        table["flag"][:3], table["label"][:3] = 1, -1

    write(tmp_path, change=change)
    counts = build(tmp_path, tmp_path / "data", progress=False)
    assert counts["without label"] == 3
    assert sum(counts[split] for split in dataset.SPLITS) == 57


def test_broken_folders_are_refused_before_anything_is_written(tmp_path):
    def twice(table):
        table["obj_id"][3] = table["obj_id"][4]

    other = [("BINNING", "sum", "") if card[0] == "BINNING" else card for card in MOCK_HEADER]
    cases = {
        "obj_id 4 occurs twice": lambda folder: write(folder, change=twice),
        "holds depths 10,2; the dataset needs Y10 and Y1": lambda folder: write(folder, years=(10, 2)),
        "shards of different binning": lambda folder: [write(folder), write(folder, header=other, index=1)],
        "leave none for": lambda folder: write(folder, 3),
        "create them with": lambda folder: None,
    }
    for number, (message, make) in enumerate(cases.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(folder)
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            build(folder, tmp_path / "data", progress=False)
    write(tmp_path / "copies" if (tmp_path / "copies").mkdir() is None else None)
    with pytest.raises(ValueError, match="--merger-copies is 5, must be 0 to 4"):
        build(tmp_path / "copies", tmp_path / "data", merger_copies=5, progress=False)
    assert not (tmp_path / "data").exists()


def released_arrays(folder, n_galaxies=12):
    """Arrays as in Zenodo 5514180: channels first, double precision, one-hot, sorted by class."""
    rng = np.random.default_rng(1)
    for split in ("train", "valid", "test"):
        for depth in ("Y10", "Y1"):
            np.save(folder / f"images_{depth}_{split}.npy", rng.normal(size=(n_galaxies, 3, 100, 100)))
        np.save(folder / f"labels_{split}.npy", np.eye(3, dtype=int)[np.sort(np.arange(n_galaxies) % 3)])


def test_released_arrays_keep_their_split_and_get_their_channels_last(tmp_path):
    released_arrays(tmp_path)
    assert build_released(tmp_path, tmp_path / "data", progress=False) == {"train": 12, "validation": 12, "test": 12}
    builder = dataset.open_dataset(tmp_path / "data")
    columns = reading.read_columns(builder, "test")
    images = next(dataset.domain_images(builder, "test", "y1", 12).as_numpy_iterator())
    raw = np.load(tmp_path / "images_Y1_test.npy").astype(np.float32).transpose(0, 2, 3, 1)
    order = np.argsort(columns["obj_id"])
    np.testing.assert_array_equal(images[order], raw)
    assert sorted(columns["label"]) == [0] * 4 + [1] * 4 + [2] * 4
    assert np.isnan(columns["gini"]).all() and (columns["label_g"] == -1).all()
    assert builder.info.metadata["origin"] == "released"
