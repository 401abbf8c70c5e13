"""Builds as pipelines against the builds in one process."""

import functools
import shutil
from pathlib import Path

import numpy as np
import pytest
from tensorflow_datasets.core.utils import shard_utils

from photoz_morph.beam.build import BeamBuild
from photoz_morph.beam.options import beam_settings
from photoz_morph.cli.photoz import main
from photoz_morph.datasets import reading
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.surveys import SDSS
from tests.support.samples import colour_stacks
from tests.tfds_builders.test_tng_lsst_mocks import released_arrays, write
from tfds_builders import cosmology_fields, lsst_blends, sdss_ugriz, tng_lsst_mocks


def pipeline(*assignments):
    return functools.partial(BeamBuild, beam_settings("DirectRunner", assignments))


def assert_same(first, second):
    """Every example of two datasets, in the order of the files, and what is said of them."""
    assert dict(first.info.metadata) == dict(second.info.metadata) and reading.content_hash(first)
    assert first.info.features.to_json() == second.info.features.to_json()
    assert list(first.info.splits) == list(second.info.splits)
    features = {name: True for name in first.info.features}
    for split, facts in first.info.splits.items():
        assert facts.num_examples == second.info.splits[split].num_examples
        assert facts.num_bytes == second.info.splits[split].num_bytes
        both = (reading.read_galaxies(builder, split, features).as_numpy_iterator() for builder in (first, second))
        for one, other in zip(*both, strict=True):
            for name in features:
                np.testing.assert_array_equal(one[name], other[name])


def test_a_pipeline_builds_the_stacks_that_one_process_builds(stacks_dir, data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_utils.ShardConfig, "min_shard_size", 2**20)  # so that a fold has several files
    assert sdss_ugriz.build(stacks_dir, tmp_path, progress=False, pipeline=pipeline())["galaxies"] == 300
    one, beam = reading.open_dataset(data_dir), reading.open_dataset(tmp_path)
    assert min(len(facts.shard_lengths) for facts in beam.info.splits.values()) > 1
    assert_same(one, beam)
    names = {path.name.partition("-")[0] for path in beam.data_path.iterdir()}
    assert names == {path.name.partition("-")[0] for path in one.data_path.iterdir()}  # nothing is left behind


def test_worker_processes_build_the_mocks_that_one_process_builds(tmp_path):
    for index in range(2):
        write(tmp_path, 15, index=index)
    counts = tng_lsst_mocks.build(tmp_path, tmp_path / "one", merger_copies=1, progress=False)
    workers = pipeline("direct_num_workers=2", "direct_running_mode=multi_processing")
    found = tng_lsst_mocks.build(tmp_path, tmp_path / "beam", merger_copies=1, progress=False, pipeline=workers)
    assert found == counts
    assert_same(*(reading.open_dataset(tmp_path / name, "tng_lsst_mocks") for name in ("one", "beam")))


def test_a_pipeline_builds_the_blends_that_one_process_builds(blends_dir, tmp_path):
    counts = lsst_blends.build(blends_dir, tmp_path / "one", progress=False)
    assert lsst_blends.build(blends_dir, tmp_path / "beam", progress=False, pipeline=pipeline()) == counts
    assert_same(*(reading.open_dataset(tmp_path / name, "lsst_pairs") for name in ("one", "beam")))


def test_a_pipeline_builds_the_fields_that_one_process_builds(fields_dir, fields_data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(cosmology_fields, "PARTITION", 40)
    counts = cosmology_fields.build(fields_dir, tmp_path, progress=False, pipeline=pipeline())
    assert sum(counts.values()) == 90
    assert_same(*(reading.open_dataset(folder, "cosmology_fields") for folder in (fields_data_dir, tmp_path)))


def test_a_pipeline_builds_released_arrays(tmp_path, monkeypatch):
    monkeypatch.setattr(tng_lsst_mocks, "ROWS_AT_ONCE", 5)
    monkeypatch.chdir(tmp_path)
    released_arrays(tmp_path, 8)
    generators = BeamBuild.generators
    folders = []
    monkeypatch.setattr(BeamBuild, "generators", lambda *all: folders.append(Path(all[2])) or generators(*all))
    counts = tng_lsst_mocks.build_released(".", "one", progress=False)
    assert tng_lsst_mocks.build_released(".", "beam", progress=False, pipeline=pipeline()) == counts
    assert len(folders) == 1 and folders[0].is_absolute()  # workers may have another working folder
    assert_same(*(reading.open_dataset(tmp_path / name, "tng_lsst_mocks") for name in ("one", "beam")))


def test_a_damaged_shard_is_named_in_one_line_and_the_earlier_dataset_is_kept(data_dir, tmp_path, capfd):
    shutil.copytree(data_dir, tmp_path / "data")
    path = shard_path(tmp_path / "stacks", 0)
    path.parent.mkdir()
    write_shard(path, *colour_stacks(40), SDSS, "stacked")
    content = bytearray(path.read_bytes())
    content[2_000_000] ^= 1
    path.write_bytes(content)
    earlier = reading.content_hash(reading.open_dataset(tmp_path / "data"))
    arguments = ["build", str(tmp_path / "stacks"), "--data-dir", str(tmp_path / "data"), "--overwrite"]
    with pytest.raises(SystemExit, match="1"):
        main([*arguments, "--runner", "DirectRunner", "--quiet"])
    said = capfd.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"Error: {path}: cannot be read as a shard of stacks (Checksum verification failed")
    assert reading.content_hash(reading.open_dataset(tmp_path / "data")) == earlier
    path.unlink()  # what needs no pixels is refused before a pipeline starts
    with pytest.raises(FileNotFoundError, match="no stacks-"):
        sdss_ugriz.build(tmp_path / "stacks", tmp_path / "data", progress=False, pipeline=pipeline())


def test_a_lost_example_is_noticed(tmp_path):
    build = BeamBuild(beam_settings("DirectRunner"), [], None, None, n_examples=3)
    with pytest.raises(RuntimeError, match="wrote nothing there; all of them must share it"):
        build.digest(tmp_path)
    (tmp_path / "content.json").write_text('{"digest": "ff", "n_examples": 2}')
    with pytest.raises(RuntimeError, match="the pipeline made 2 examples of 3"):
        build.digest(tmp_path)


def test_an_option_of_beam_needs_a_runner(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["build", "stacks", "--beam-option", "direct_num_workers=2"])
    assert capsys.readouterr().err.startswith("Error: --beam-option needs --runner; see")
