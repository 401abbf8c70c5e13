"""The morphology chain through its commands, in an empty folder: what `scripts/demo` runs, smaller."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner

from photoz_morph.cli.morph import main
from photoz_morph.models.exports.saved_model import model_hash
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.predictions import read_morph_predictions
from photoz_morph.morph.robustness.attack_files import find_attacks, read_attack
from photoz_morph.runs.folder import finished_members, weights_hash
from photoz_morph.system.provenance import code_version, joint_hash
from tests.support.samples import MORPH_TINY

RUNS = {"regular": "runs/morph_regular", "mmd": "runs/morph_mmd"}
SETTINGS = [word for setting in (*MORPH_TINY, "simulation.n_galaxies=120") for word in ("--set", setting)]


def morph(*arguments):
    """Output of a command, which must succeed."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, f"morph {' '.join(map(str, arguments))}\n{result.output}\n{result.exception!r}"
    return result.output


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """The folder in which all commands ran one after the other, and what each printed."""
    folder = tmp_path_factory.mktemp("empty")
    with contextlib.chdir(folder):
        printed = {
            "train": morph("train", "morph_regular.yaml", "--seeds", "2", "--jobs", "1", *SETTINGS),
            "train_mmd": morph("train", "--seeds", "2", "--jobs", "1", *SETTINGS),
            "status": morph("status", RUNS["mmd"]),
            "evaluate": morph("evaluate", RUNS["regular"], "--against", RUNS["mmd"]),
            "attack": morph("attack", "--images", 8, "--max-queries", 96),
            "attack_all": morph("attack", "--images", 4, "--max-queries", 48, "--search", "random", "--all-seeds",
                                *RUNS.values()),
            "latent": morph("latent", *RUNS.values(), "--every-seed"),
            "perturb": morph("perturb", *RUNS.values(), "--images", 20, "--kind", "hot_pixel", "--kind", "background"),
            "depth": morph("depth", *RUNS.values(), "--years", 0.5, "--years", 10, "--processes", 1),
            "predict_median": morph("predict", RUNS["mmd"], "--defence", "median"),
            "report": morph("report", RUNS["regular"], "--against", RUNS["mmd"]),
            "export": morph("export", RUNS["mmd"]),
            "infer": morph("infer", f"{RUNS['mmd']}/export", "morph_data/mocks", "--years", "1",
                           "--fragility", "--max-queries", 32),  # fmt: skip
        }
    return folder, printed


@pytest.fixture
def in_chain(chain, monkeypatch):
    """The tests run in the folder of the chain."""
    monkeypatch.chdir(chain[0])
    return chain[1]


def test_the_embedded_default_is_made_once(in_chain):
    assert "making the embedded default there, 120 simulated galaxies" in in_chain["train"]
    assert "embedded default" not in in_chain["train_mmd"]


def test_each_command_names_the_next(in_chain):
    assert "Next: morph evaluate runs/morph_regular" in in_chain["train"]
    assert "2 of 2 networks finished, not running" in in_chain["status"]
    assert "Next: morph infer runs/morph_mmd/export MOCKS" in in_chain["export"]
    assert "120 galaxies in classes.fits: " in in_chain["infer"]


def test_scores_say_what_they_are_of(in_chain, chain):
    scores = json.loads((chain[0] / RUNS["regular"] / "scores.json").read_text())
    assert scores["data"] == "simulated" and scores["n_seeds"] == 2
    assert 0 < scores["label_ceiling"]["value"] <= 1
    assert "simulated" in in_chain["evaluate"]
    for row in ("accuracy", "precision", "recall", "F1", "macro-F1"):
        assert row.lower() in in_chain["evaluate"].lower()


def test_every_output_says_what_it_was_made_from(in_chain):
    run, images = Path(RUNS["mmd"]), {"survey": "lsst", "bands": "g,r,i", "unit": "nJy"}
    dataset = json.loads((run / "dataset.json").read_text())
    assert {key: dataset["images"][key] for key in images} == images and "code" not in dataset["mocks"]
    made_from = {**images, "code": code_version(), "data_id": dataset["content_hash"]}
    members = [weights_hash(path) for path in finished_members(run, MorphConfig)[0]]
    described = json.loads((run / "export" / "estimator.json").read_text())
    assert described["weights"] == members and described["model_id"] == model_hash(run / "export")
    found = {
        "predictions": (read_morph_predictions(run / "predictions.fits").meta, joint_hash(members)),
        "scores": (json.loads((Path(RUNS["regular"]) / "scores.json").read_text()), None),
        "latent": (json.loads((run / "latent.json").read_text()), joint_hash(members)),
        "attack": (read_attack(find_attacks(run)[0])[0].meta, joint_hash(members[:1])),
        "classes": ({key.lower(): value for key, value in fits.getheader("classes.fits", 1).items()},
                    described["model_id"]),
    }  # fmt: skip
    for name, (meta, model_id) in found.items():
        assert {key: meta[key] for key in made_from} == made_from, name
        assert model_id is None or meta["model_id"] == model_id, name
    perturbed = json.loads((run / "perturbations.json").read_text())
    assert perturbed["model_id"] == joint_hash(members) and perturbed["code"] == code_version()
    for path in ("morph_data/scenes/scenes-00000.fits", "morph_data/mocks/mocks-00000.fits"):
        assert fits.getheader(path)["CODE"] == code_version()
    footer = (Path(RUNS["regular"]) / "report" / "report.html").read_text().partition("<footer>")[2]
    assert joint_hash(members) in footer and dataset["content_hash"] in footer and code_version() in footer


def test_the_report_is_one_page_with_its_figures(in_chain, chain):
    folder = chain[0] / RUNS["regular"] / "report"
    page = (folder / "report.html").read_text()
    figures = sorted(path.stem for path in folder.glob("*.png"))
    assert len(figures) >= 9 and all((folder / f"{name}.pdf").exists() for name in figures)
    assert "simulated" in page and "McNemar" in page
    for section in ("One-pixel attack", "Latent geometry", "Perturbations", "Defences"):
        assert f". {section}</h2>" in page
    assert "3 x 3 median" in (folder / "defences.md").read_text()
    assert "| boosting | accuracy |" in (folder / "table1.md").read_text() and "No baseline is compared" not in page
    assert (chain[0] / RUNS["regular"] / "boosting_both.fits").exists()


def test_attack_latent_and_perturb_name_the_runs_and_the_next_command(in_chain):
    assert "test images of simulated galaxies" in in_chain["attack"]
    assert "Next: morph latent runs/morph_regular runs/morph_mmd" in in_chain["attack"]
    assert "No finished network" not in in_chain["attack"]
    assert "Attacks on every network" in in_chain["attack_all"] and "random_y10_data_network2" in in_chain["attack_all"]
    assert "| class separation |" in in_chain["latent"] and "Over 2 seeds of morph_mmd" in in_chain["latent"]
    assert "| hot pixel |" in in_chain["perturb"] and "morph report runs/morph_regular --against" in in_chain["perturb"]


def test_accuracy_is_measured_at_each_depth_from_the_scenes_beside_the_dataset(in_chain, chain):
    assert "| 0.5 | " in in_chain["depth"] and "morph report runs/morph_regular --against" in in_chain["depth"]
    assert sorted(path.name for path in (chain[0] / "morph_data" / "depths").iterdir()) == ["Y0.5", "Y10"]
    page = (chain[0] / RUNS["regular"] / "report" / "report.html").read_text()
    assert "accuracy against years of observation" in page and "Survey depth" in page


def test_fragile_galaxies_are_flagged(in_chain, chain):
    table = Table.read(chain[0] / "classes.fits")
    fragile = np.asarray(table["fragile"])
    assert f"changes the class of {fragile.sum()} of them" in in_chain["infer"]
    assert np.all((table["fragile_row"] >= 0) == fragile)
    assert np.all(table["fragile_queries"][~fragile] == 32)
    names = np.char.strip(np.asarray(table["fragile_class"]).astype(str))
    assert np.all(names[fragile] != np.asarray(table["class"])[fragile]) and np.all(names[~fragile] == "")


def test_the_exported_model_gives_the_predictions_of_the_run(in_chain, chain):
    table = read_morph_predictions(chain[0] / RUNS["mmd"] / "predictions.fits")
    inferred = Table.read(chain[0] / "classes.fits")
    place = {obj_id: row for row, obj_id in enumerate(inferred["obj_id"])}
    rows = [place[obj_id] for obj_id in table["obj_id"]]
    np.testing.assert_allclose(inferred["probability"][rows], table["probability_y1"].mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(inferred["latent"][rows], table["latent_y1"], atol=1e-4)
    names = np.array(["spiral", "elliptical", "merger"])
    assert list(inferred["class"]) == list(names[inferred["probability"].argmax(axis=1)])


def test_summary_counts_the_published_parameters():
    assert "trainable parameters: 11,308,611" in morph("summary", "morph_paper_mmd.yaml")
    defended = morph("summary", "morph_paper_mmd.yaml", "--set", "defence.test_time=d4")
    assert "trainable parameters: 11,308,611" in defended and "stage4_block2_conv2" in defended
