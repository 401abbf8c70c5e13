import pickle

import numpy as np
import pytest

from photoz_morph.shards.stacks import read_shard, shard_path, write_shard
from photoz_morph.sources import source as source_module
from photoz_morph.sources.formats import open_source
from photoz_morph.surveys import LSST, SDSS
from tests.support.samples import colour_stacks
from tfds_builders.sdss_ugriz import build


def test_the_galaxies_of_a_dataset_come_back_fold_by_fold(data_dir, stacks_dir, monkeypatch):
    monkeypatch.setattr(source_module, "PARTITION_ROWS", 40)
    source = open_source(data_dir)
    assert (source.survey, source.origin, source.n_rows) == (SDSS, "simulated", 300)
    assert source.partitions[0].name == "fold_0-00000" and max(part.n_rows for part in source.partitions) == 40
    shards = [read_shard(path)[:2] for path in sorted(stacks_dir.glob("*.fits"))]
    images = np.concatenate([images for images, _ in shards])
    z_spec = np.concatenate([table["z_spec"] for _, table in shards])
    seen = []
    for partition in pickle.loads(pickle.dumps(source.partitions)):
        read, table = partition.read()
        rows = np.asarray(table["obj_id"])  # in the shards
        seen += list(rows)
        assert np.array_equal(read, images[rows]) and np.array_equal(table["z_spec"], z_spec[rows])
        assert not table["flag"].any() and table["mags"].shape == (len(table), 5)
    assert sorted(seen) == list(range(300))
    few, table = partition.read(np.array([1]))
    assert np.array_equal(few[0], images[table["obj_id"][0]])


def test_a_dataset_of_another_survey_or_kind_is_refused(data_dir, morph_data_dir):
    with pytest.raises(ValueError, match="stacks of sdss, not of lsst"):
        open_source(data_dir, LSST)
    with pytest.raises(ValueError, match="are simulated, not stacked"):
        open_source(data_dir, origin="stacked")
    with pytest.raises(ValueError, match="tng_lsst_mocks holds no stacks"):
        open_source(morph_data_dir)


def test_a_dataset_knows_what_made_its_stacks_as_the_shards_do(tmp_path):
    (tmp_path / "stacks").mkdir()
    images, table = colour_stacks(40)
    cards = [("ENGINE", "swarp", ""), ("COMBINE", "MEDIAN", "")]
    write_shard(shard_path(tmp_path / "stacks", 0), images, table, SDSS, "stacked", cards)
    build(tmp_path / "stacks", tmp_path / "data", progress=False)
    assert open_source(tmp_path / "data").facts == {"engine": "swarp", "combine": "median"}
    assert open_source(tmp_path / "stacks").facts == open_source(tmp_path / "data").facts
