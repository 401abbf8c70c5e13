import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.config import load_config
from photoz_morph.models.loading import load_members
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.experiment import PhotozExperiment
from photoz_morph.photoz.teacher import TaughtPdfs
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.runs.folder import finished_members
from photoz_morph.runs.scores import read_scores
from tests.support.samples import TINY


def pupil(run_dir, *more):
    options = [*TINY, "train.label_sigma=0", f"train.teacher={run_dir}", *more]
    return load_config("photoz_simulated.yaml", PhotozConfig, options)


@pytest.mark.parametrize("more", [(), ("data.train_on=deep", "data.batch_size=8")])
def test_the_target_is_the_mean_pdf_of_the_folds_networks_for_the_galaxy_itself(run_dir, data_dir, more):
    experiment = PhotozExperiment(pupil(run_dir, *more), data_dir)
    train, members = experiment.fold(1).train, load_members(finished_members(run_dir, PhotozConfig)[1])
    ids, targets = train.obj_ids(3, 0, 0), next(iter(train.epoch(3, 0)))[1].numpy()
    galaxies = [galaxy for fold in (0, 2, 3, 4) for galaxy in experiment.builder.as_dataset(split=f"fold_{fold}")]
    names = ("image", "ebv", *experiment.config.model.observing)
    again = PhotozExperiment(pupil(run_dir, *more), data_dir).fold(1).train
    assert np.array_equal(targets, next(iter(again.epoch(3, 0)))[1])  # as after an interruption
    by_id = {int(galaxy["obj_id"]): galaxy for galaxy in galaxies}
    for obj_id, target in zip(ids, targets, strict=True):
        inputs = {name: by_id[obj_id][name][None] for name in names}  # as stored: not augmented
        expected = np.mean([member(inputs) for member in members], axis=0)[0]
        np.testing.assert_allclose(target, expected, atol=1e-5)


def test_targets_are_found_by_obj_id():
    taught = TaughtPdfs(np.array([7, 3, 5]), np.eye(3))
    np.testing.assert_array_equal(taught({"obj_id": np.array([5, 7])}), np.eye(3)[[2, 0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config, run: dataclasses.replace(config, redshift=RedshiftGrid(0, 0.5, 180)), "another redshift than"),
        (lambda config, run: dataclasses.replace(config, data=dataclasses.replace(config.data, n_validation=21)),
         "was trained with data.n_validation 20, so it knows some of the 21 that are to validate"),
        (lambda config, run: (run / "dataset.json").write_text(
            (run / "dataset.json").read_text().replace('"content_hash": "', '"content_hash": "0')),
         "was trained on other galaxies than .* has, so it may know those of a test fold"),
        (lambda config, run: shutil.rmtree(run / "fold_0"), "no network of fold 0 is finished, to teach that of this"),
        (lambda config, run: shutil.rmtree(run), "not a run folder"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_teach_is_refused(run_dir, data_dir, tmp_path, change, message):
    run = shutil.copytree(run_dir, tmp_path / "run")
    config = pupil(run)
    changed = change(config, run)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        PhotozExperiment(changed if isinstance(changed, PhotozConfig) else config, data_dir).fold(0)


def test_the_command_trains_one_network_a_fold_and_scores_it_beside_the_ensemble(run_dir, tmp_path):
    run, out = shutil.copytree(run_dir, tmp_path / "run"), tmp_path / "pupil"
    options = [str(run), "--out", str(out), "--strategy", "mirrored", "--set", "train.epochs=1"]  # in this process
    result = CliRunner().invoke(main, ["distill", *options])
    assert result.exit_code == 0, result.output
    assert {fold: len(paths) for fold, paths in finished_members(out, PhotozConfig).items()} == {0: 1, 1: 1}
    scores = read_scores(out / "scores.json")
    names = {Path(method).name for method in scores["comparison"]["methods"]}
    assert names == {"predictions.fits", "run"} and "sigma_MAD" in result.output
    for bad, message in (([run, "--out", run], "--out is RUN itself"), (["nowhere", "--out", "x"], "not a run folder")):
        refused = CliRunner().invoke(main, ["distill", *map(str, bad)])
        assert refused.exit_code and message in refused.output and refused.output.count("\n") == 1
    shutil.rmtree(run / "fold_0" / "member_1")
    refused = CliRunner().invoke(main, ["distill", str(run), "--out", str(tmp_path / "other")])
    assert "not all networks are finished (fold_0 1, fold_1 2); finish the training" in refused.output
