import hashlib
import shutil

import pytest

from photoz_morph.config import load_config
from photoz_morph.morph.config import MorphConfig
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.runs.folder import finished_members, member_dir, read_run, start_run, weights_hash

DATASET = {"path": "here", "name": "sdss_ugriz", "origin": "simulated", "galaxies_per_fold": [9, 8, 7, 6, 5]}


def photoz_config(*overrides):
    return load_config("photoz_simulated.yaml", PhotozConfig, overrides)


def test_folders_that_are_no_run_say_what_makes_one(tmp_path):
    for read in (read_run, finished_members):
        for config_class, command in ((PhotozConfig, "photoz train"), (MorphConfig, "morph train")):
            with pytest.raises(FileNotFoundError, match=f"not a run folder .*{command}"):
                read(tmp_path, config_class)


def test_finished_members_are_in_the_order_of_their_numbers(tmp_path, run_dir):
    run = tmp_path / "run"
    shutil.copytree(run_dir, run)
    for member in (10, 2):
        member_dir(run, 0, member).mkdir()
        (member_dir(run, 0, member) / "model.keras").touch()
    names = [path.parent.name for path in finished_members(run, PhotozConfig)[0]]
    assert names == ["member_0", "member_1", "member_2", "member_10"]


def test_a_described_run_comes_back(tmp_path):
    start_run(tmp_path / "run", photoz_config("seed=7"), DATASET, ["CPU"])
    config, dataset = read_run(tmp_path / "run", PhotozConfig)
    assert config == photoz_config("seed=7") and dataset == DATASET
    with pytest.raises(FileNotFoundError, match="no network of this run is finished; run the same `photoz train`"):
        finished_members(tmp_path / "run", PhotozConfig)


def test_a_run_that_trained_something_refuses_another_config_or_dataset(tmp_path):
    start_run(tmp_path, photoz_config("seed=1"), DATASET, [])
    start_run(tmp_path, photoz_config("seed=2"), DATASET, [])  # nothing is trained yet
    member_dir(tmp_path, 0, 0).mkdir(parents=True)
    (member_dir(tmp_path, 0, 0) / "history.csv").touch()
    start_run(tmp_path, photoz_config("seed=2"), {**DATASET, "path": "moved"}, [])
    with pytest.raises(ValueError, match="was trained with another seed; give another --run-dir"):
        start_run(tmp_path, photoz_config("seed=3"), DATASET, [])
    other = {**DATASET, "path": "there", "galaxies_per_fold": [9, 8, 7, 6, 4]}
    with pytest.raises(ValueError, match=r"was trained on \[9, 8, 7, 6, 5\] simulated galaxies, there has \[9, 8"):
        start_run(tmp_path, photoz_config("seed=2"), other, [])
    assert read_run(tmp_path, PhotozConfig)[0].seed == 2


def test_a_run_refuses_other_galaxies_in_equal_numbers(tmp_path):
    config = photoz_config()
    start_run(tmp_path, config, {**DATASET, "content_hash": "0123456789abcdef"}, [])
    member_dir(tmp_path, 0, 0).mkdir(parents=True)
    (member_dir(tmp_path, 0, 0) / "history.csv").touch()
    start_run(tmp_path, config, {**DATASET, "path": "moved", "content_hash": "0123456789abcdef"}, [])
    start_run(tmp_path, config, DATASET, [])  # built by an earlier version
    with pytest.raises(ValueError, match="content 01234567, here has as many of content fedcba98; give another --run"):
        start_run(tmp_path, config, {**DATASET, "content_hash": "fedcba9876543210"}, [])


def test_a_run_refuses_other_galaxies_to_adapt_to(tmp_path):
    config, known = photoz_config(), {**DATASET, "target": {"content_hash": "0123456789abcdef"}}
    start_run(tmp_path, config, known, [])
    member_dir(tmp_path, 0, 0).mkdir(parents=True)
    (member_dir(tmp_path, 0, 0) / "history.csv").touch()
    start_run(tmp_path, config, {**known, "path": "moved"}, [])
    with pytest.raises(ValueError, match="was adapted to other galaxies than those in the target dataset; give the"):
        start_run(tmp_path, config, {**known, "target": {"content_hash": "fedcba9876543210"}}, [])


def test_hash_tells_two_networks_apart_by_one_bit(tmp_path):
    (tmp_path / "a").write_bytes(b"weights")
    (tmp_path / "b").write_bytes(b"weightr")
    assert weights_hash(tmp_path / "a") == hashlib.sha256(b"weights").hexdigest()[:16] != weights_hash(tmp_path / "b")
