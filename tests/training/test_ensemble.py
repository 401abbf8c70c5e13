import dataclasses

import pytest

from photoz_morph.config import load_config
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.experiment import MorphExperiment
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import PhotozExperiment
from photoz_morph.runs.folder import finished_members, member_dir
from photoz_morph.training.ensemble import member_seed, tasks_of_processes, train_ensemble
from photoz_morph.training.fit import choose_strategy, fit
from tests.support.samples import MORPH_TINY
from tests.support.training import final_weights, fit_fold, same


def test_nothing_finished_is_trained_again(tiny_config, data_dir, run_dir):
    models = finished_members(run_dir, PhotozConfig)
    assert {fold: len(paths) for fold, paths in models.items()} == {0: 2, 1: 2}
    before = {path: path.stat().st_mtime_ns for paths in models.values() for path in paths}
    assert train_ensemble(PhotozExperiment, tiny_config, run_dir, data_dir, n_members=2, n_folds=2, progress=False) == 0
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert not list(run_dir.rglob("checkpoint*"))


def test_members_differ_and_adding_one_changes_no_other():
    seeds = [member_seed(1, fold, member) for fold in range(5) for member in range(6)]
    assert len(set(seeds)) == 30
    assert member_seed(1, 3, 4) == seeds[3 * 6 + 4]


def test_a_run_folder_holds_one_experiment(data_dir, run_dir, tiny_config):
    other = dataclasses.replace(tiny_config, seed=7)
    with pytest.raises(ValueError, match="was trained with another seed; give another --run-dir"):
        train_ensemble(PhotozExperiment, other, run_dir, data_dir, 2, 2, progress=False)
    with pytest.raises(ValueError, match="--cv is 6, .* has 5 folds"):
        train_ensemble(PhotozExperiment, tiny_config, run_dir, data_dir, 2, 6, progress=False)


def test_weights_do_not_depend_on_the_number_of_workers(tiny_config, data_dir, run_dir, tmp_path):
    """`run_dir` was trained by one worker at a time."""
    train_ensemble(PhotozExperiment, tiny_config, tmp_path / "two", data_dir, 2, 1, n_jobs=2, progress=False)
    for member in (0, 1):
        one, several = (final_weights(member_dir(run, 0, member)) for run in (run_dir, tmp_path / "two"))
        assert same(one, several)


@pytest.mark.parametrize(
    "todo, n_workers, expected",
    [
        ([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)], 2, [[(0, 0), (0, 1)], [(0, 2)], [(1, 0)], [(1, 1)]]),
        ([(0, 4), (0, 5), (2, 0)], 16, [[(0, 4)], [(0, 5)], [(2, 0)]]),
        ([(1, 0), (1, 1), (1, 2)], 1, [[(1, 0), (1, 1), (1, 2)]]),
    ],
)
def test_a_process_trains_networks_of_one_fold_and_no_worker_is_idle(todo, n_workers, expected):
    assert tasks_of_processes(todo, n_workers) == expected


def test_a_training_of_one_chain_amid_one_of_the_other_changes_no_weight(
    tiny_config, data_dir, morph_data_dir, tmp_path
):
    """A whole morphology network, in bfloat16, is trained between two batches of a photo-z network."""
    short = [*MORPH_TINY, "train.epochs=1", "train.precision=mixed_bfloat16"]
    config = load_config("morph_mmd.yaml", MorphConfig, short)
    morph = MorphExperiment(config, morph_data_dir).fold(0)
    started = []

    def train_morph(epoch, n_epochs, loss, n_galaxies):
        if not started:
            started.append(epoch)
            fit(morph, tmp_path / "amid", 4, choose_strategy("none"))

    fit(morph, tmp_path / "morph", 4, choose_strategy("none"))
    fit_fold(tiny_config, data_dir, tmp_path / "photoz", seed=4)
    fit_fold(tiny_config, data_dir, tmp_path / "around", seed=4, on_batch=train_morph)
    assert started == [1]
    assert same(final_weights(tmp_path / "photoz"), final_weights(tmp_path / "around"))
    assert same(final_weights(tmp_path / "morph"), final_weights(tmp_path / "amid"))
