import shutil

import numpy as np
import pytest

from photoz_morph.catalogs.folds import SPLITS
from photoz_morph.datasets.reading import open_dataset
from photoz_morph.shards.galaxy_maps import map_shard_path, read_map_shard
from photoz_morph.simulation.populations import sample
from photoz_morph.simulation.populations.sample import MapSettings, simulate_maps
from tests.support.maps import N_MAPS, few_encounters
from tfds_builders.lsst_maps import TRUTH, build


def test_galaxies_and_their_maps_come_back(maps_dir, maps_data_dir):
    builder = open_dataset(maps_data_dir, "lsst_maps")
    stored = {int(example["obj_id"]): example for split in SPLITS
              for example in builder.as_dataset(split=split).as_numpy_iterator()}  # fmt: skip
    images, maps, brightness, catalog, _ = read_map_shard(map_shard_path(maps_dir, 0))
    assert len(stored) == N_MAPS == len(catalog)
    for number, row in enumerate(catalog):
        example = stored[int(row["obj_id"])]
        for name, cube in (("image", images), ("maps", maps), ("brightness", brightness)):
            np.testing.assert_array_equal(example[name], cube[number])
        assert all(example[name] == row[name] for name in ("group_id", "kind", *TRUTH))


def test_splits_share_no_group(maps_data_dir):
    builder = open_dataset(maps_data_dir, "lsst_maps")
    groups = [{int(example["group_id"]) for example in builder.as_dataset(split=split).as_numpy_iterator()}
              for split in SPLITS]  # fmt: skip
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]


def test_metadata_say_what_the_maps_are(maps_data_dir):
    metadata = open_dataset(maps_data_dir, "lsst_maps").info.metadata
    expected = {"survey": "lsst", "bands": "g,r,i", "maps": "mass,age,metallicity,a_v", "pixel_scale": 0.4,
                "unit": "nJy", "years": 10, "zero_point": 31.4, "origin": "simulated", "size": 32}  # fmt: skip
    assert {key: metadata[key] for key in expected} == expected and len(metadata["content_hash"]) == 32
    assert np.array(metadata["sky_sigma"].split(","), float) == pytest.approx([2.6, 2.8, 4.6], rel=0.05)


def test_folders_that_are_no_one_sample_are_refused(maps_dir, maps_data_dir, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="create them with `blend simulate --kind maps`"):
        build(tmp_path, tmp_path / "data", progress=False)
    with pytest.raises(ValueError, match="the dataset exists; use it, or replace it with --overwrite"):
        build(maps_dir, maps_data_dir, progress=False)
    shutil.copy(map_shard_path(maps_dir, 0), tmp_path)
    shutil.copy(map_shard_path(maps_dir, 0), map_shard_path(tmp_path, 1))
    with pytest.raises(ValueError, match="obj_id 30000000000 occurs twice; drop one of its shards"):
        build(tmp_path, tmp_path / "data", progress=False)
    monkeypatch.setattr(sample, "FRACTIONS", {2: 1.0})
    with few_encounters():
        simulate_maps(tmp_path / "one", 1, MapSettings(1, 32, 3), 1, progress=False)
    with pytest.raises(ValueError, match="1 galaxies leave none for"):
        build(tmp_path / "one", tmp_path / "data", progress=False)
    shutil.copy(map_shard_path(tmp_path / "one", 0), map_shard_path(tmp_path, 1))
    with pytest.raises(ValueError, match="shards of different sky_sigma, years in one folder; keep them apart"):
        build(tmp_path, tmp_path / "data", progress=False)
