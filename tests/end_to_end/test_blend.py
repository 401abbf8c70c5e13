"""The chain of blended images through its commands, in an empty folder."""

import contextlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.deblended import read_deblended
from photoz_morph.blend.predictions import read_blend_predictions
from photoz_morph.cli.blend import main
from photoz_morph.runs.folder import finished_members, weights_hash
from photoz_morph.system.provenance import code_version, joint_hash
from tests.support.samples import BLEND_NETWORKS, BLEND_TINY

FOUND, PARTED = "runs/blend_unet", "runs/blend_deblend"


def settings(network):
    options = (*BLEND_TINY, *BLEND_NETWORKS[network][1], "simulation.n_images=60", "simulation.seed=3")
    return [word for option in options for word in ("--set", option)]


def blend(*arguments):
    """Output of a command, which must succeed."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, f"blend {' '.join(map(str, arguments))}\n{result.output}\n{result.exception!r}"
    return result.output


@pytest.fixture(scope="module")
def chain(tmp_path_factory, blend_pool_dir, monkeypatch_module):
    """The folder in which all commands ran one after the other, and what each printed."""
    folder = tmp_path_factory.mktemp("empty")
    shards = folder / "blend_data" / "lsst_pairs_shards"
    shards.mkdir(parents=True)
    (shards / "parents").symlink_to(blend_pool_dir)  # of 40 galaxies, not of 400
    with contextlib.chdir(folder):
        printed = {
            "train": blend("train", "--seeds", 2, "--jobs", 1, *settings("unet")),
            "status": blend("status", FOUND),
            "again": blend("train", "--seeds", 2, "--jobs", 1, *settings("unet")),
            "baseline": blend("baseline", "--metric", "source_iou", "--trials", 1, "--tune-on", 2, "--processes", 1),
            "evaluate": blend("evaluate", FOUND, "--against", "baseline_sep"),
            "deblend": blend("train", "blend_deblend.yaml", "--jobs", 1, *settings("probabilistic_unet")),
            "predict": blend("predict", PARTED, "--samples", 39),
            "evaluate_deblend": blend("evaluate", PARTED, "--against", "baseline_sep/source_iou.fits"),
            "quiet": blend("predict", FOUND, "--split", "validation", "-q"),
        }
    return folder, printed


@pytest.fixture(scope="module")
def monkeypatch_module():
    """The default number of parents is that of the pool."""
    from photoz_morph.cli.blend.data import simulate

    option = next(option for option in simulate.params if option.name == "parents")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(option, "default", 40)
        yield patch


def test_the_embedded_default_is_made_once_and_networks_are_trained_once(chain):
    printed = chain[1]
    assert "No dataset lsst_pairs in blend_data: making the embedded default there, 60 simulated" in printed["train"]
    assert "2 networks trained" in printed["train"] and f"Next: blend evaluate {FOUND}" in printed["train"]
    assert "0 networks trained" in printed["again"] and "2 were finished before" in printed["again"]
    assert "making the embedded default" not in printed["again"] + printed["deblend"]
    assert "2 of 2 networks finished, not running" in printed["status"] and "validation ap50" in printed["status"]


def test_scores_stand_beside_those_of_the_baseline(chain):
    folder, printed = chain
    assert "| score | blend_unet | baseline_sep source_iou |" in printed["evaluate"]
    scores = json.loads((folder / FOUND / "scores.json").read_text())
    assert scores["model"] == "unet" and scores["against"]["baseline_sep source_iou"]["model"] == "sep"
    n_test = json.loads((folder / FOUND / "dataset.json").read_text())["images_per_split"][2]
    assert scores["n_images"] == scores["against"]["baseline_sep source_iou"]["n_images"] == n_test > 5
    assert "| score | blend_deblend | baseline_sep source_iou |" in printed["evaluate_deblend"]
    scores = json.loads((folder / PARTED / "scores.json").read_text())
    assert len(scores["coverage"]["flux"]) == 4 and "coverage" not in scores["against"]["baseline_sep source_iou"]


def test_every_output_says_what_it_was_made_from(chain):
    folder, printed = chain
    dataset = json.loads((folder / FOUND / "dataset.json").read_text())
    assert dataset["name"] == "lsst_pairs/1.0.0" and sum(dataset["images_per_split"]) == 60
    metas = {
        FOUND: read_blend_predictions(folder / FOUND / "predictions.fits").table.meta,
        PARTED: read_deblended(folder / PARTED / "predictions.fits").meta,
    }
    for run, meta in metas.items():
        members = [weights_hash(path) for path in finished_members(folder / run, BlendConfig)[0]]
        assert meta["model_id"] == joint_hash(members) and meta["data_id"] == dataset["content_hash"]
        assert meta["code"] == code_version() and meta["config"] == Path(run).name
    assert printed["quiet"] == "" and (folder / FOUND / "predictions_validation.fits").exists()
