import pickle

import numpy as np
import pytest
from astropy.io import fits

from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.sources.formats import open_source
from photoz_morph.surveys import LSST, SDSS
from tests.support.samples import colour_stacks


def write(folder, sizes=(3, 2), origin="simulated"):
    parts, first = [], 0
    for index, size in enumerate(sizes):
        parts.append(colour_stacks(size, first_id=first))
        write_shard(shard_path(folder, index), *parts[-1], SDSS, origin)
        first += size
    return parts


def test_each_shard_is_a_partition_that_gives_back_its_images_and_table(tmp_path):
    parts = write(tmp_path)
    source = open_source(tmp_path)
    assert (source.survey, source.origin, source.n_rows) == (SDSS, "simulated", 5)
    assert [partition.name for partition in source.partitions] == ["stacks-00000", "stacks-00001"]
    for partition, (images, table) in zip(pickle.loads(pickle.dumps(source.partitions)), parts):
        read, read_table = partition.read()
        assert partition.n_rows == len(table) and np.array_equal(read, images)
        assert list(read_table["obj_id"]) == list(partition.read_table()["obj_id"]) == list(table["obj_id"])
        assert np.array_equal(partition.read(np.array([1]))[0], images[[1]])


def test_the_fingerprint_is_of_the_content_and_not_of_the_place_or_time(tmp_path):
    for name, sizes in (("a", (3, 2)), ("b", (3, 2)), ("c", (2, 3))):
        (tmp_path / name).mkdir()
        write(tmp_path / name, sizes)
    first, copy, other = (open_source(tmp_path / name).fingerprint for name in "abc")
    assert first == copy != other


def test_shards_of_two_origins_or_of_another_survey_are_refused(tmp_path):
    write(tmp_path)
    with pytest.raises(ValueError, match="stacks of sdss, not of lsst"):
        open_source(tmp_path, LSST)
    assert open_source(tmp_path, "sdss").survey is SDSS
    fits.setval(shard_path(tmp_path, 1), "ORIGIN", value="stacked")
    with pytest.raises(ValueError, match=r"stacks-00001.fits: ORIGIN is stacked, in stacks-00000.fits it is simulated"):
        open_source(tmp_path)


def test_what_is_no_source_is_refused_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder; give a folder"):
        open_source(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="no stacks-.* and no galaxy images of another format"):
        open_source(tmp_path)
    (tmp_path / "a.txt").touch()
    with pytest.raises(ValueError, match="no galaxy images of a known format"):
        open_source(tmp_path / "a.txt")
    write(tmp_path)
    shard_path(tmp_path, 1).write_bytes(shard_path(tmp_path, 1).read_bytes()[:100_000])
    with pytest.raises(ValueError, match="stacks-00001.fits: .*truncated"):
        open_source(tmp_path)
