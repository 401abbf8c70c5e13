"""The commands `blend train`, `status`, `summary` and `predict`."""

import shutil

import pytest

from tests.cli.blend.test_data import blend
from tests.support.samples import BLEND_NETWORKS, BLEND_TINY


def settings(*overrides):
    return [word for override in (*BLEND_TINY, *overrides) for word in ("--set", override)]


@pytest.mark.parametrize("network", BLEND_NETWORKS)
def test_summary_prints_the_layers_of_every_network(network):
    name, options = BLEND_NETWORKS[network]
    result = blend("summary", name, *settings(*options))
    assert result.exit_code == 0, result.output
    assert "trainable parameters: " in result.output and "down1_conv1" in result.output


def test_status_of_a_run_that_was_not_started_is_one_line(blend_run_dirs):
    result = blend("status", blend_run_dirs["unet"])
    assert result.exit_code == 1 and "no training has been started; run `blend train`" in result.output


@pytest.mark.parametrize(
    "words, message",
    [
        (("train", "--data-dir", "nowhere", "--set", "simulation.n_images=null"),
         "nowhere: no prepared dataset found; make one with `blend build BLENDS --data-dir nowhere`"),
        (("train", "morph_mmd.yaml"), "is a config of `morph`, not of `blend`; use it with `morph`"),
        (("train", "--set", "train.epoch=3"), "unknown key 'train.epoch'. Did you mean 'train.epochs'?"),
        (("status", "nowhere"), "nowhere: not a run folder (config.yaml is missing); create one with `blend train`"),
        (("predict", "nowhere"), "nowhere: not a run folder (config.yaml is missing); create one with `blend train`"),
        (("predict", "nowhere", "--out", "a.txt"), "a.txt: --out must end in .fits"),
        (("predict", "nowhere", "--samples", "3"), "3 is not in the range x>=39"),
        (("evaluate", "nowhere.fits"), "nowhere.fits: no such file; give predictions of `blend`"),
        (("evaluate", "."), ".: not a run folder (config.yaml is missing); create one with `blend train`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = blend(*words)
    assert result.exit_code != 0 and message in result.output and result.output.count("\n") == 1


def test_training_on_images_of_another_kind_is_refused_before_it_starts(blend_data_dir, tmp_path):
    words = ("train", "blend_unet.yaml", "--data-dir", blend_data_dir, "--run-dir", tmp_path / "run",
             "--set", "simulation.n_images=null")  # fmt: skip
    result = blend(*words)
    assert result.exit_code == 1 and "no prepared dataset found of lsst_blends, but of lsst_pairs" in result.output


def test_an_ensemble_of_another_dataset_is_refused(blend_run_dirs, blend_data_dir, tmp_path):
    shutil.copytree(blend_run_dirs["unet"], tmp_path / "run")
    description = tmp_path / "run" / "dataset.json"
    description.write_text(description.read_text().replace('"content_hash": "', '"content_hash": "0'))
    result = blend("predict", tmp_path / "run", "--data-dir", blend_data_dir)
    assert result.exit_code == 1 and "a test galaxy may have been trained on" in result.output
    assert result.output.count("\n") == 1
