import shutil

import numpy as np
import pytest

from photoz_morph.datasets import reading


@pytest.fixture(scope="module")
def builder(data_dir):
    return reading.open_dataset(data_dir)


def sizes(builder):
    return {"galaxies_per_fold": [reading.n_galaxies(builder, f"fold_{fold}") for fold in range(5)]}


def test_the_folder_given_to_build_and_the_version_folder_in_it_are_one_dataset(builder, data_dir):
    assert reading.open_dataset(builder.data_dir).data_dir == builder.data_dir
    assert str(builder.data_dir).startswith(str(data_dir))


def test_columns_are_in_the_order_of_the_galaxies(builder):
    columns = reading.read_columns(builder, "fold_1")
    galaxies = list(reading.read_galaxies(builder, "fold_1", {"obj_id": True, "z_spec": True}).as_numpy_iterator())
    assert [galaxy["obj_id"] for galaxy in galaxies] == list(columns["obj_id"])
    np.testing.assert_array_equal([galaxy["z_spec"] for galaxy in galaxies], columns["z_spec"])
    assert "image" not in columns and set(galaxies[0]) == {"obj_id", "z_spec"}


def test_cached_columns_are_read_once_and_cut_like_the_dataset(builder, monkeypatch):
    passes, read = [], reading.read_columns
    monkeypatch.setattr(reading, "read_columns", lambda builder, split: passes.append(split) or read(builder, split))
    columns = reading.CachedColumns(builder, ("obj_id", "z_spec"))
    for split in ("fold_1[3:9]+fold_0", "fold_0[:7]", "fold_1[-5:]"):
        expected = read(builder, split)
        assert list(columns(split)) == ["obj_id", "z_spec"]
        for name, values in columns(split).items():
            np.testing.assert_array_equal(values, expected[name])
    assert passes == ["fold_1", "fold_0"]


def test_a_split_expression_counts_its_galaxies(builder):
    total = sum(reading.n_galaxies(builder, f"fold_{fold}") for fold in range(5))
    assert total == 300 == len(reading.read_columns(builder, "+".join(f"fold_{fold}" for fold in range(5)))["obj_id"])
    assert reading.n_galaxies(builder, "fold_0[:7]") == 7


def test_a_folder_without_a_dataset_names_the_command_that_makes_one(tmp_path):
    for name, command in (("sdss_ugriz", "photoz build STACKS"), ("tng_lsst_mocks", "morph build MOCKS")):
        with pytest.raises(FileNotFoundError, match=f"no prepared dataset found; make one with `{command} --data-dir"):
            reading.open_dataset(tmp_path, name)


def copy_of(builder, folder):
    shutil.copytree(builder.data_dir, folder)
    return folder


def test_a_damaged_description_is_named(builder, tmp_path):
    copy = copy_of(builder, tmp_path / "copy")
    (copy / "dataset_info.json").write_text("{")
    with pytest.raises(ValueError, match="not a dataset, or a damaged one .* build it again with --overwrite"):
        reading.open_dataset(copy)


def test_a_damaged_file_is_named_with_its_split(builder, tmp_path):
    copy = copy_of(builder, tmp_path / "copy")
    record = next(copy.glob("*fold_2*"))
    record.write_bytes(record.read_bytes()[:-100])
    with pytest.raises(RuntimeError, match="copy, fold_2: TensorFlow: .* build the dataset again with --overwrite"):
        reading.read_columns(reading.open_dataset(copy), "fold_2")


def test_a_run_opens_its_dataset_or_a_copy_and_refuses_another(builder, tmp_path):
    copy = copy_of(builder, tmp_path / "copy")
    dataset = {"path": str(builder.data_dir), **sizes(builder)}
    for folder, found in ((None, builder.data_dir), (copy, copy)):
        opened = reading.open_run_dataset(dataset, folder, "sdss_ugriz", sizes)
        assert str(opened.data_dir) == str(found)
    content = {"content_hash": reading.content_hash(builder)}
    for known in (content["content_hash"], None):
        reading.open_run_dataset(dataset | {"content_hash": known}, copy, "sdss_ugriz", lambda _: content)
    with pytest.raises(ValueError, match="content hash [0-9a-f]{32}, the run was trained with 0123; a test galaxy"):
        reading.open_run_dataset(dataset | {"content_hash": "0123"}, copy, "sdss_ugriz", lambda _: content)
    dataset["galaxies_per_fold"] = [1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match=r"per fold \[.*\], the run was trained with \[1, 2, 3, 4, 5\]; a test"):
        reading.open_run_dataset(dataset, copy, "sdss_ugriz", sizes)
