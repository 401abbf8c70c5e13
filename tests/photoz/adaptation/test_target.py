import dataclasses

import numpy as np
import pytest

from photoz_morph.config import load_config
from photoz_morph.datasets import reading
from photoz_morph.photoz.adaptation.target import TargetGalaxies
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import PhotozExperiment
from tests.support.samples import PIXELS_ALONE


def adapted_config(target_dir, *more):
    options = [*PIXELS_ALONE, f"adaptation={{name: coral, target_dir: {target_dir}}}", *more]
    return load_config("photoz_simulated.yaml", PhotozConfig, options)


@pytest.fixture(scope="module")
def source(data_dir):
    return reading.open_dataset(data_dir)


def test_galaxies_of_another_dataset_are_all_but_those_of_the_test_fold(source, target_dir):
    target = TargetGalaxies(adapted_config(target_dir), source)
    seen = [target.batches(fold).n_galaxies for fold in range(5)]
    sizes = [target.builder.info.splits[f"fold_{fold}"].num_examples for fold in range(5)]
    assert seen == [150 - size for size in sizes]
    shown = target.batches(2).obj_ids(1, 0, 0)
    assert min(shown) >= 300 and not set(shown) & set(reading.read_columns(target.builder, "fold_2")["obj_id"])


def test_redshifts_are_not_read(source, target_dir):
    target = TargetGalaxies(adapted_config(target_dir), source)
    batch = next(iter(target.batches(0).epoch(1, 0)))
    assert set(batch) == {"image", "ebv"} and np.isfinite(batch["image"]).all()
    assert "z_spec" not in target.batches(0)._columns


def test_the_run_folder_tells_another_target_apart(source, data_dir, target_dir):
    config = adapted_config(target_dir)
    described = PhotozExperiment(config, data_dir).dataset_description()["target"]
    assert sum(described["galaxies_per_fold"]) == 150
    assert described["content_hash"] == reading.content_hash(reading.open_dataset(target_dir))
    depth = dataclasses.replace(config.adaptation, target_dir=None, target_depth="deep")
    shallow = dataclasses.replace(config, adaptation=depth, data=dataclasses.replace(config.data, train_on="shallow"))
    assert "target" not in PhotozExperiment(shallow, data_dir).dataset_description()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["data.batch_size=128"], "1[12][0-9] galaxies"),
        (["adaptation.target_depth=deep", "data.batch_size=64"], "[0-9]+ deep galaxies to adapt the networks of"),
    ],
)
def test_a_target_smaller_than_a_batch_is_named(source, target_dir, more, message):
    with pytest.raises(ValueError, match=f"{message}.*fewer than data.batch_size.*; give more, or lower it"):
        TargetGalaxies(adapted_config(target_dir, *more), source).batches(0)


def test_a_missing_target_or_condition_or_fold_is_named(source, target_dir, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="nowhere: no prepared dataset found"):
        TargetGalaxies(adapted_config(tmp_path / "nowhere"), source)
    config = adapted_config(target_dir)
    told = dataclasses.replace(config, model=dataclasses.replace(config.model, observing=("seeing",)))
    with pytest.raises(ValueError, match="has no seeing, which the network is told; build it again, or leave it out"):
        TargetGalaxies(told, source)
    counts = iter([[60] * 5, [75] * 4])
    monkeypatch.setattr("photoz_morph.photoz.dataset.split_sizes", lambda builder: next(counts))
    with pytest.raises(ValueError, match="has 4 folds, .* has 5; build it again"):
        TargetGalaxies(config, source)
