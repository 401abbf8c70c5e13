import h5py
import numpy as np
import pytest

from photoz_morph.datasets.reading import open_dataset, read_columns
from photoz_morph.morph.exported_model import ExportedMorphModel
from photoz_morph.morph.stamp_source import open_stamps
from photoz_morph.shards.mocks import find_mock_shards, read_mock_shard
from tests.support.exports import toy_export, toy_mocks
from tests.support.samples import shape_mocks
from tests.tfds_builders.test_tng_lsst_mocks import released_arrays
from tfds_builders.tng_lsst_mocks import build_released


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return ExportedMorphModel(toy_export(tmp_path_factory.mktemp("toy") / "model", mocks={}))


def test_shards_of_mocks_are_partitions_of_one_depth_without_their_own_flag(model, tmp_path):
    paths, stamps, obj_id = toy_mocks(tmp_path, (3, 2))
    for years in (10, 1):
        source = open_stamps(tmp_path, model, years)
        assert [part.name for part in source.partitions] == ["mocks-00000", "mocks-00001"] and source.n_rows == 5
        images, tables = zip(*(part.read() for part in source.partitions))
        np.testing.assert_array_equal(np.concatenate(images), stamps[years].astype(np.float32))
        assert np.concatenate([table["obj_id"] for table in tables]).tolist() == obj_id
        assert tables[0].colnames == source.partitions[0].read_table().colnames == ["obj_id", "group_id"]
    assert open_stamps(tmp_path, model, 10).fingerprint != source.fingerprint
    assert [part.name for part in open_stamps(paths[1], model, 10).partitions] == ["mocks-00001"]


def test_the_dataset_gives_every_galaxy_of_every_split_once(model, morph_data_dir, mocks_dir):
    source = open_stamps(morph_data_dir, model, 1)
    found = [part.read() for part in source.partitions]
    obj_id = np.concatenate([table["obj_id"] for _, table in found])
    builder = open_dataset(morph_data_dir, "tng_lsst_mocks")
    expected = np.concatenate([read_columns(builder, split)["obj_id"] for split in builder.info.splits])
    assert obj_id.tolist() == expected.tolist() and source.origin == "simulated"
    shard = read_mock_shard(find_mock_shards(mocks_dir)[0], years=(1,))
    row = np.flatnonzero(obj_id == shard[1]["obj_id"][7])[0]
    np.testing.assert_array_equal(np.concatenate([images for images, _ in found])[row], shard[0][1][7])
    with pytest.raises(ValueError, match=r"holds depths \(10, 1\), not 5; give one of these as --years"):
        open_stamps(morph_data_dir, model, 5)
    other = ExportedMorphModel(toy_export(morph_data_dir.parent / "other_model", mocks={"binning": "other"}))
    with pytest.raises(ValueError, match="BINNING is .*was trained on other"):
        open_stamps(morph_data_dir, other, 1)


def test_released_images_of_unknown_unit_are_for_models_of_such_only(model, tmp_path):
    released_arrays(tmp_path)
    build_released(tmp_path, tmp_path / "data", progress=False)
    with pytest.raises(ValueError, match="data: unit is unknown, the training data's nJy"):
        open_stamps(tmp_path / "data", model, 10)
    other = ExportedMorphModel(toy_export(tmp_path / "model", mocks={}, image_unit="unknown"))
    assert open_stamps(tmp_path / "data", other, 10).n_rows == 36


def test_stamps_of_other_formats_are_read(model, tmp_path):
    images, table = shape_mocks(3)
    with h5py.File(tmp_path / "stamps.hdf5", "w") as file:
        file["image"], file["obj_id"] = images[10].astype(np.float32), np.asarray(table["obj_id"])
        file["ra"], file["dec"] = [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]
    source = open_stamps(tmp_path / "stamps.hdf5", model, 10)
    found, columns = source.partitions[0].read()
    np.testing.assert_allclose(found, images[10], rtol=1e-6)
    classes = model.classify(found, columns, 10)
    assert classes["obj_id"].tolist() == table["obj_id"].tolist() and classes["ra"].tolist() == [1.0, 2.0, 3.0]


def test_no_stamps_at_all_are_one_line(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="no mocks-.*create them with `morph mock`"):
        open_stamps(tmp_path, model, 10)
    with pytest.raises(FileNotFoundError, match="nowhere: no such file or folder"):
        open_stamps(tmp_path / "nowhere", model, 10)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileNotFoundError, match="no galaxy images of another format; give a folder of shards"):
        open_stamps(tmp_path, model, 10)
