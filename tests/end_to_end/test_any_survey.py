"""The photo-z chain of surveys that no code knows: three bands from a file, and four bands of real SDSS frames."""

import contextlib
import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from photoz_morph.models.registry import build_model
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.export import export_network
from photoz_morph.photoz.exported_model import load_exported_model
from photoz_morph.photoz.predictions import read_predictions
from photoz_morph.shards.stacks import read_shard, survey_of
from photoz_morph.surveys import SDSS, survey_from_dict, survey_to_dict
from tests.end_to_end.test_photoz import photoz
from tests.support.paths import DATA
from tests.support.survey_frames import NOISE, write_sky
from tests.support.surveys import THREE_BANDS

RUN = "runs/tiny"
CONFIG = """\
survey: tiny.yaml
data: {n_validation: 8, batch_size: 8}
model: {crop: null, conv1_filters: 4, dense_units: 16, blocks: [[4, 4], [4, 4]], pool_after: [1]}
train: {epochs: 1, learning_rate: 3.0e-3}
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """The folder in which all commands ran, the truth of its galaxies, and what each command printed."""
    folder = tmp_path_factory.mktemp("any")
    truth = write_sky(folder)
    (folder / "tiny_config.yaml").write_text(CONFIG)
    with contextlib.chdir(folder):
        commands = {
            "check": "survey check tiny.yaml frames",
            "stack": "stack galaxies.csv frames --survey tiny.yaml",
            "build": "build stacks",
            "train": f"train tiny_config.yaml --ensemble 1 --cv 1 --run-dir {RUN} --strategy mirrored",
            "evaluate": f"evaluate {RUN}",
            "report": f"report {RUN}",
            "export": f"export {RUN}",
            "stacks": f"infer {RUN}/export stacks --out stacks.parquet",
        }
        printed = {name: photoz(*command.split()).output for name, command in commands.items()}
        Path("tiny.yaml").unlink()  # what follows needs no description beside the exported model's
        few = "--catalog few.csv --frames frames --out few.fits --figure few.png"
        Path("few.csv").write_text("".join(Path("galaxies.csv").read_text().splitlines(keepends=True)[:4]))
        printed["frames"] = photoz("infer", f"{RUN}/export", *few.split()).output
        printed["again"] = photoz("evaluate", RUN).output
    return folder, truth, printed


@pytest.fixture
def in_chain(chain, monkeypatch):
    monkeypatch.chdir(chain[0])
    return chain[1:]


def test_the_stacks_have_the_flux_of_the_sky_whatever_the_zero_point_of_a_frame(in_chain):
    truth, _ = in_chain
    images, table, header = read_shard("stacks/stacks-00000.fits")
    assert images.shape == (len(truth), 24, 24, 3) and survey_of("stacks", header) == THREE_BANDS
    assert list(table["obj_id"]) == list(truth["obj_id"]) and np.all(table["flag"] == 0)
    # All but 1e-4 of a galaxy's light is in the stamp; its neighbours are 34 pixels away. Pixels are correlated by the
    # interpolation, which keeps the noise of their sum.
    error = 24 * NOISE
    pull = (images.sum(axis=(1, 2)) - truth["flux"]) / error
    assert np.abs(pull.mean(axis=0)).max() < 5 / np.sqrt(len(truth)) and pull.std() < 1.6


def test_dataset_run_and_predictions_are_those_of_the_survey(in_chain):
    _, printed = in_chain
    assert "72 galaxies in photoz_data" in printed["build"] and Path("photoz_data/tiny_VRB/1.0.0").is_dir()
    config = yaml.safe_load(Path(RUN, "config.yaml").read_text())
    assert survey_from_dict(config["survey"]) == THREE_BANDS
    assert "inception_photoz tiny, real galaxies" in printed["evaluate"]
    assert read_predictions(f"{RUN}/predictions.fits")[0].meta["survey"] == "tiny"


def test_the_report_names_the_bands_of_the_survey_and_no_others(in_chain):
    page = Path(RUN, "report/report.html").read_text()
    text = re.sub(r"<[^>]+>|src=\"[^\"]*\"", "", page)
    assert "Red, green and blue are R, V and B" in text and "dereddened V magnitude" in text
    assert "Real TINY galaxies" in text
    assert not re.search(r"SDSS|ugriz|dereddened r\b", text)
    for name in ("stamps.png", "galaxies_with_pdf.png", "redshifts_magnitudes.png"):
        assert Path(RUN, "report", name).is_file()


def test_an_exported_model_of_an_unknown_survey_stacks_frames_and_gives_the_same_pdfs(in_chain):
    truth, printed = in_chain
    assert "3 galaxies in few.fits, 0 of them flagged" in printed["frames"] and Path("few.png").is_file()
    few, all_of_them = (read_predictions(path)[0] for path in ("few.fits", "stacks.parquet"))
    assert list(all_of_them["obj_id"]) == list(truth["obj_id"])
    np.testing.assert_allclose(few["pdf"], all_of_them["pdf"][:3], atol=1e-5)  # float32, in batches of another size
    assert load_exported_model(f"{RUN}/export").survey == THREE_BANDS


def test_an_export_whose_facts_contradict_each_other_is_refused(in_chain, tmp_path):
    shutil.copytree(f"{RUN}/export", tmp_path / "export")
    path = tmp_path / "export" / "estimator.json"
    description = json.loads(path.read_text())
    for key, value, message in (
        ("image_size", 32, "was exported for .* but has tiny as"),
        ("survey", "sdss", "survey_description describes tiny, survey is sdss"),
        ("survey_description", {"name": "tiny"}, "survey_description: no 'bands'"),
        ("survey_description", None, "survey_description: holds None"),
    ):
        path.write_text(json.dumps(description | {key: value}))
        with pytest.raises(ValueError, match=f"estimator.json: .*{message}"):
            load_exported_model(tmp_path / "export")


def test_four_bands_of_the_real_sdss_frames_go_from_frames_to_pdfs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    griz = [SDSS.bands.index(band) for band in "griz"]
    values = survey_to_dict(SDSS) | {"name": "sdss_griz"}
    for key in [key for key, value in values.items() if isinstance(value, list)]:
        values[key] = [values[key][band] for band in griz]
    Path("griz.yaml").write_text(yaml.safe_dump(values))
    survey = survey_from_dict(values)
    photoz("stack", DATA / "galaxies.csv", DATA / "frames", "--survey", "griz.yaml", "-q")
    photoz("stack", DATA / "galaxies.csv", DATA / "frames", "--out", "ugriz", "-q")
    images, table, _ = read_shard("stacks/stacks-00000.fits")
    assert images.shape == (len(table), 64, 64, 4) and np.all(table["flag"] == 0)
    np.testing.assert_array_equal(images, read_shard("ugriz/stacks-00000.fits")[0][..., 1:])
    model = dataclasses.replace(PhotozConfig().model, conv1_filters=4, dense_units=8, blocks=((4, 4),), pool_after=())
    network = build_model(dataclasses.replace(PhotozConfig(), survey=survey, model=model))
    facts = {"model": "inception_photoz", "n_members": 1, "trained_on": {"name": "nothing", "origin": "stacked"}}
    export_network(network, survey, PhotozConfig().redshift, "export", facts)
    Path("griz.yaml").unlink()
    galaxies = ["--catalog", DATA / "galaxies.csv", "--frames", DATA / "frames"]
    printed = photoz("infer", "export", *galaxies, "--out", "p.fits").output
    assert "0 of them flagged" in printed and "real SDSS_GRIZ pixels" in printed
    with pytest.raises(AssertionError, match="not of sdss_griz .name sdss instead of sdss_griz, bands u,g,r,i"):
        photoz("infer", "export", "ugriz", "--out", "q.fits")
