import json

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.runs.attacks import AttackFormat, write_shard

FORMAT = AttackFormat("photoz attack", ("obj_id", "moved"), ("galaxies", "victim"), 2)


def write_attack(folder, n=5):
    """A finished attack of n galaxies."""
    images = np.random.default_rng(0).normal(size=(n, 4, 4, 2)).astype(np.float32)
    table = Table({"obj_id": np.arange(n), "moved": np.arange(n) % 2 == 0})
    table.meta = {"victim": "ensemble", "unseen": True}
    FORMAT.start(folder, {"galaxies": list(range(n)), "victim": "ensemble"})
    for path, start, stop in FORMAT.shards(folder, n):
        part = images[start:stop]
        write_shard(path, table[start:stop], {"original": part, "attacked": part + 1}, "nanomaggy")
    return folder, table, images


def test_what_is_written_comes_back(tmp_path):
    folder, table, images = write_attack(tmp_path / "run" / "attacks" / "one")
    read, both = FORMAT.read(folder)
    assert np.array_equal(read["obj_id"], table["obj_id"]) and np.array_equal(read["moved"], table["moved"])
    assert np.array_equal(both["original"], images) and np.array_equal(both["attacked"], images + 1)
    assert read.meta["victim"] == "ensemble" and read.meta["unseen"] is True
    assert FORMAT.find(tmp_path / "run") == [folder]


def test_an_attack_that_lacks_a_shard_is_not_found_and_says_how_to_go_on(tmp_path):
    folder, *_ = write_attack(tmp_path / "run" / "attacks" / "one")
    (folder / "attack-00001.fits").unlink()
    assert FORMAT.find(tmp_path / "run") == []
    with pytest.raises(ValueError, match="attack-00001.fits: missing; run the same `photoz attack` again"):
        FORMAT.read(folder)
    with pytest.raises(FileNotFoundError, match="make one with `photoz attack`"):
        FORMAT.read(tmp_path)


def test_other_settings_are_refused_once_there_is_a_shard(tmp_path):
    FORMAT.start(tmp_path / "new", {"galaxies": [1], "victim": "network1"})
    FORMAT.start(tmp_path / "new", {"galaxies": [2], "victim": "network2"})
    assert FORMAT.settings(tmp_path / "new")["galaxies"] == [2]
    folder, *_ = write_attack(tmp_path / "old")
    with pytest.raises(ValueError, match=r"holds an attack with other victim \(ensemble\); give another --name"):
        FORMAT.start(folder, {"galaxies": list(range(5)), "victim": "network1"})


@settings(max_examples=40)
@given(st.data())
def test_a_damaged_shard_is_an_error_of_one_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    shard = write_attack(folder / "attack", n=2)[0] / "attack-00000.fits"
    content = bytearray(shard.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    shard.write_bytes(content)
    try:
        FORMAT.read_shard(shard)
    except (ValueError, OSError) as error:
        assert "attack-00000.fits" in str(error) and "\n" not in str(error)
        assert not FORMAT.is_finished(shard)


@pytest.mark.parametrize("content", ["", "[]", "{", json.dumps({"galaxies": [1]})])
def test_damaged_settings_are_an_error_of_one_line(tmp_path, content):
    folder, *_ = write_attack(tmp_path / "attack")
    (folder / "settings.json").write_text(content)
    with pytest.raises(ValueError, match="settings.json"):
        FORMAT.read(folder)
