"""The photo-z chain through its commands, in an empty folder: what `scripts/demo` runs, smaller."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.models.exports.saved_model import model_hash
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predictions import read_predictions
from photoz_morph.runs.folder import finished_members, weights_hash
from photoz_morph.shards.stacks import find_shards, read_catalog
from photoz_morph.system.provenance import code_version, joint_hash
from tests.support.paths import DATA
from tests.support.samples import TINY

RUN = "runs/photoz_simulated"
SETTINGS = [word for setting in (*TINY, "simulation.n_galaxies=300") for word in ("--set", setting)]
TRAIN = ("train", "--ensemble", "2", "--cv", "2", "--jobs", "1", *SETTINGS)


def photoz(*arguments):
    """Output of a command, which must succeed."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, f"photoz {' '.join(map(str, arguments))}\n{result.output}\n{result.exception!r}"
    return result


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """The folder in which all commands ran one after the other, and what each printed."""
    folder = tmp_path_factory.mktemp("empty")
    with contextlib.chdir(folder):
        printed = {
            "train": photoz(*TRAIN).output,
            "evaluate": photoz("evaluate", RUN).output,
            "baseline": photoz("baseline", RUN).output,
            "against": photoz("evaluate", RUN, "--against", f"{RUN}/knn.fits").output,
            "compare": photoz("compare", RUN, f"{RUN}/knn.fits", f"{RUN}/boosting.fits").output,
            "export": photoz("export", RUN).output,
            "infer": photoz(
                "infer", f"{RUN}/export", "--stacks", "photoz_data/stacks", "--out", "infer.parquet",
                "--figure", "infer.png",
            ).output,  # fmt: skip
        }
    return folder, printed


@pytest.fixture
def in_chain(chain, monkeypatch):
    """The tests run in the folder of the chain."""
    monkeypatch.chdir(chain[0])
    return chain[1]


def test_every_command_leaves_its_files(in_chain):
    members = [f"fold_{fold}/member_{member}" for fold in (0, 1) for member in (0, 1)]
    files = [f"{member}/{name}" for member in members for name in ("model.keras", "history.csv")]
    files += ["config.yaml", "dataset.json", "environment.json", "predictions.fits", "knn.fits", "scores.json"]
    files += ["export/estimator.json", "export/saved_model.pb"]
    assert [name for name in files if not Path(RUN, name).is_file()] == []
    assert Path("photoz_data/sdss_ugriz/1.0.0/dataset_info.json").is_file()
    assert Path("infer.parquet").is_file() and Path("infer.png").is_file()
    assert not list(Path().rglob("*.part*")) and not list(Path().rglob("checkpoint*"))


def test_simulated_galaxies_are_called_simulated_all_the_way(in_chain):
    assert "making the embedded default there, 300 simulated SDSS galaxies" in in_chain["train"]
    assert "inception_photoz sdss, simulated galaxies" in in_chain["evaluate"]
    assert "simulated galaxies" in in_chain["against"]
    scores = json.loads(Path(RUN, "scores.json").read_text())
    assert scores["data"] == scores["comparison"]["data"] == "simulated"
    assert json.loads(Path(RUN, "export/estimator.json").read_text())["trained_on"]["origin"] == "simulated"
    for path in (f"{RUN}/predictions.fits", f"{RUN}/knn.fits", "infer.parquet"):
        assert read_predictions(path)[0].meta["origin"] == "simulated"


def test_every_output_says_what_it_was_made_from(in_chain, tmp_path):
    images = {"survey": "sdss", "bands": "u,g,r,i,z", "unit": "nanomaggy", "engine": "simulation"}
    dataset = json.loads(Path(RUN, "dataset.json").read_text())
    assert {key: dataset["images"][key] for key in images} == images and dataset["images"]["code"] == code_version()
    networks = {"code": code_version(), "data_id": dataset["content_hash"]}
    members = [weights_hash(path) for paths in finished_members(RUN, PhotozConfig).values() for path in paths]
    of_run = {**networks, **images, "model_id": joint_hash(members)}
    described = json.loads(Path(RUN, "export", "estimator.json").read_text())
    assert described["weights"] == members[:2] and described["model_id"] == model_hash(Path(RUN, "export"))
    of_export = {**networks, **images, "model_id": described["model_id"]}
    for suffix in (".fits", ".parquet", ".hdf5", ".hats"):
        out = tmp_path / f"infer{suffix}"
        photoz("convert", "infer.parquet", out)
        meta = read_predictions(out)[0].meta
        assert {key: meta[key] for key in of_export} == of_export
    header = fits.getheader(tmp_path / "infer.fits", "PREDICTIONS")
    assert {key: header[key.upper()] for key in of_export} == of_export
    meta = read_predictions(Path(RUN, "predictions.fits"))[0].meta
    assert {key: meta[key] for key in of_run} == of_run
    meta = read_predictions(Path(RUN, "knn.fits"))[0].meta
    assert meta["data_id"] == networks["data_id"] and meta["unit"] == "mag"
    scores = json.loads(Path(RUN, "scores.json").read_text())
    assert {key: scores[key] for key in of_run} == of_run and scores["code_of_predictions"] == code_version()
    assert scores["comparison"]["provenance"]["inception_photoz"] == of_run
    shard = fits.getheader(find_shards("photoz_data/stacks")[0])
    assert shard["CODE"] == code_version() and shard["ENGINE"] == "simulation"
    assert json.loads(Path(RUN, "environment.json").read_text())["code"] == code_version()
    assert described["model_id"] in Path(RUN, "export", "MODEL_CARD.md").read_text()


def test_scores_compare_network_and_knn_on_the_same_galaxies(in_chain):
    assert list(json.loads(Path(RUN, "scores.json").read_text())["folds"]) == ["0", "1"]
    comparison = json.loads(Path(RUN, "scores.json").read_text())["comparison"]
    assert list(comparison["methods"]) == ["inception_photoz", "k-NN"]
    tested = {name: set(read_predictions(Path(RUN, name))[0]["obj_id"]) for name in ("predictions.fits", "knn.fits")}
    assert tested["predictions.fits"] == tested["knn.fits"] and len(tested["knn.fits"]) == comparison["n_galaxies"]


def test_compare_sets_every_score_of_the_run_beside_its_baselines(in_chain):
    for text in ("photoz_simulated and knn and boosting", "sigma_IQR", "CDE loss", "95 % interval"):
        assert text in in_chain["compare"], text


def test_training_again_trains_nothing(in_chain):
    before = {path: path.read_bytes() for path in Path(RUN).glob("fold_*/**/*") if path.is_file()}
    printed = photoz(*TRAIN).stdout
    assert printed.startswith("0 networks trained") and "4 were finished before" in printed
    assert before == {path: path.read_bytes() for path in Path(RUN).glob("fold_*/**/*") if path.is_file()}


def test_infer_keeps_the_rows_of_the_stacks_in_order(in_chain):
    stacks = np.concatenate([read_catalog(path)[0]["obj_id"] for path in find_shards("photoz_data/stacks")])
    table, _ = read_predictions("infer.parquet")
    assert len(stacks) == 300 and list(table["obj_id"]) == list(stacks)
    assert "300 galaxies in infer.parquet, 0 of them flagged" in in_chain["infer"]


def test_real_frames_to_pdfs(in_chain, tmp_path):
    galaxies = Table.read(DATA / "galaxies.csv")[::-1]
    galaxies.add_row({"obj_id": 9, "ra": 10.0, "dec": -20.0, "z_spec": 0.1})  # no frame is there
    galaxies["name"] = ["b", "a", "nowhere"]
    galaxies.write(tmp_path / "galaxies.fits")
    out, figure = tmp_path / "real.fits", tmp_path / "real.png"
    frames = ("--catalog", tmp_path / "galaxies.fits", "--frames", DATA / "frames")
    printed = photoz("infer", f"{RUN}/export", *frames, "--out", out, "--figure", figure).stdout
    table, grid = read_predictions(out)
    assert list(table["obj_id"]) == [2, 1, 9] and list(table["name"]) == ["b", "a", "nowhere"]
    assert list(table["flag"]) == [0, 0, 1] and table.meta["origin"] == "stacked"
    np.testing.assert_allclose(table["z_phot"][:2], grid.expectation(table["pdf"][:2]))
    assert "real SDSS pixels" in printed and "1 of them flagged" in printed
    assert f"0.0981  {table['z_phot'][0]:.4f}  {table['z_lower'][0]:.4f} to {table['z_upper'][0]:.4f}" in printed
    assert "9  no PDF: no frame of band u covers it" in printed
    assert figure.stat().st_size > 10_000


@pytest.mark.parametrize(
    "arguments",
    [
        ("simulate", "--n-galaxies", 2, "--out", "{tmp}/stacks"),
        ("build", "photoz_data/stacks", "--data-dir", "{tmp}/data"),
        TRAIN,
        ("predict", RUN, "--out", "{tmp}/predictions.parquet"),
        ("baseline", RUN, "--method", "knn", "--out", "{tmp}/knn.fits"),
        ("evaluate", RUN, "--against", f"{RUN}/knn.fits", "--out", "{tmp}/scores.json"),
        ("export", RUN, "--out", "{tmp}/export"),
        ("infer", f"{RUN}/export", "--stacks", "photoz_data/stacks", "--out", "{tmp}/infer.fits"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_quiet_prints_nothing(in_chain, arguments, tmp_path):
    assert photoz(*(str(argument).format(tmp=tmp_path) for argument in arguments), "--quiet").output == ""


def test_quiet_stack_prints_nothing(tmp_path):
    assert photoz("stack", DATA / "galaxies.csv", DATA / "frames", "--out", tmp_path, "--quiet").output == ""


def test_console_script_is_quiet_too(in_chain, tmp_path):
    """In a process of its own, where TensorFlow writes to the file descriptor."""
    script = Path(sys.executable).with_name("photoz")
    arguments = ["export", RUN, "--out", str(tmp_path / "export"), "--quiet"]
    result = subprocess.run([script, *arguments], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("command", main.commands)
def test_every_command_has_its_help(command):
    assert photoz(command, "--help").output.startswith(f"Usage: main {command} ")


def test_the_papers_protocol_is_typed_as_it_is_said():
    assert "Train an ensemble for each fold" in photoz("train", "--ensemble", 6, "--cv", 5, "--help").output
