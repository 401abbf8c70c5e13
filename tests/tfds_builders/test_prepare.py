"""One owner of a dataset that is being written."""

import pytest

from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from tests.support.samples import colour_stacks
from tests.system.test_locks import owner
from tfds_builders.sdss_ugriz import build


def test_a_second_build_leaves_the_work_of_the_first_alone(tmp_path):
    images, table = colour_stacks(40)
    (tmp_path / "stacks").mkdir()
    write_shard(shard_path(tmp_path / "stacks", 0), images, table, SDSS, "simulated")
    of_the_first = tmp_path / "data" / "sdss_ugriz" / "incomplete.ABC_1.0.0" / "half.tfrecord"
    of_the_first.parent.mkdir(parents=True)
    of_the_first.touch()
    first = owner(tmp_path / "data" / "sdss_ugriz")
    try:
        with pytest.raises(ValueError, match=f"sdss_ugriz: process {first.pid} on .* or give another --data-dir"):
            build(tmp_path / "stacks", tmp_path / "data", progress=False)
        assert of_the_first.exists()
    finally:
        first.kill()
        first.wait()
    assert build(tmp_path / "stacks", tmp_path / "data", progress=False)["galaxies"] == 40
    assert [path.name for path in (tmp_path / "data" / "sdss_ugriz").iterdir()] == ["1.0.0"]
