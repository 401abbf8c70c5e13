"""The commands of `blend` for maps, fields and parameters."""

import json
import shutil

import pytest

from photoz_morph.blend.maps.predictions import read_map_predictions
from photoz_morph.datasets.reading import open_dataset
from tests.cli.blend.test_data import blend
from tests.support.pages import Page
from tests.support.samples import MAP_TINY


def ran(*words):
    result = blend(*words)
    assert result.exit_code == 0, f"{words}: {result.output}\n{result.exception!r}"
    return result.output


def test_fields_go_from_nothing_to_a_report(tmp_path, monkeypatch, undrawn):
    monkeypatch.chdir(tmp_path)
    # In this process, not in one of its own that loads TensorFlow anew.
    monkeypatch.setattr("photoz_morph.cli.blend.training.build_in_subprocess", lambda build, *given: build(*given))
    options = (*MAP_TINY, "simulation.n_images=100", "simulation.seed=3", "train.epochs=1", "model.width=2")
    settings = [word for option in options for word in ("--set", option)]
    printed = ran("train", "blend_parameters.yaml", "--jobs", 1, *settings)
    assert "No dataset cosmology_fields in blend_data: making the embedded default there, 100 simulated" in printed
    assert "Next: blend evaluate runs/blend_parameters" in printed
    assert "validation r2" in ran("status", "runs/blend_parameters")
    printed = ran("baseline")
    assert "Predictions in baseline_fields/wiener.fits, baseline_fields/power_ridge.fits, scores in" in printed
    scores = json.loads((tmp_path / "baseline_fields" / "baseline_scores.json").read_text())["baselines"]
    assert set(scores) == {"wiener", "power_ridge"}
    printed = ran("evaluate", "runs/blend_parameters", "--against", "baseline_fields")
    assert "| score | blend_parameters | baseline_fields power_ridge |" in printed
    assert "| sigma_8: explained variance | " in printed
    found = read_map_predictions(tmp_path / "runs" / "blend_parameters" / "predictions.fits")
    assert json.loads((tmp_path / "runs/blend_parameters/scores.json").read_text())["n_images"] == len(found.table)
    assert "Report in runs/blend_parameters/report/report.html." in ran("report", "runs/blend_parameters")
    page = Page((tmp_path / "runs/blend_parameters/report/report.html").read_text())
    assert "Parameters behind fields: blend_parameters and power_ridge" in page.visible


def test_fields_are_simulated_and_built_as_asked(tmp_path):
    out, data = tmp_path / "fields", tmp_path / "data"
    words = ("--n-images", 40, "--size", 32, "--seed", 2, "--processes", 1, "--out", out)
    path = out / "Maps_Mtot_LogNormal_LH_z=0.00.npy"
    assert f"40 simulated fields in {path}. Next: blend build {out}" in ran("simulate", "--kind", "fields", *words)
    printed = ran("build", path, "--data-dir", data, "--noise", 0.5, "--masked", 0)
    assert f"test images in {data}. Next: blend baseline {data}, or blend train blend_parameters.yaml" in printed
    metadata = open_dataset(data, "cosmology_fields").info.metadata
    assert (metadata["size"], metadata["noise"], metadata["masked"], metadata["beam_fwhm"]) == (32, 0.5, 0, 3)


def test_predict_says_what_it_gives(map_run_dirs, tmp_path):
    for answer, text in (("maps", "Maps of"), ("field", "Fields of")):
        shutil.copytree(map_run_dirs[answer], tmp_path / answer)
        printed = ran("predict", tmp_path / answer, "--split", "validation")
        path = tmp_path / answer / "predictions_validation.fits"
        assert text in printed and f"images in {path}. Next: blend evaluate {path}" in printed
        assert read_map_predictions(path).table.meta["split"] == "validation"


@pytest.mark.parametrize(
    "words, message",
    [
        (("simulate", "--kind", "fields", "--years", "1"), "--years does not go with --kind fields; fields are of"),
        (("simulate", "--kind", "fields", "--size", "33"), "n_pixels is 33; give an even number from 8 to 1024"),
        (("build", "nowhere.npy"), "nowhere.npy: its name is not Maps_FIELD_SUITE_SET_z=Z.npy"),
        (("build", ".", "--noise", "1"), "--noise goes with fields of matter; . holds none"),
        (("train", "blend_maps.yaml", "--data-dir", "d", "--set", "simulation.n_images=null"),
         "d: no prepared dataset found; make one with `blend build MAPS --data-dir d`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = blend(*words)
    assert result.exit_code != 0 and message in result.output and result.output.count("\n") == 1


def test_options_for_sources_are_refused_for_maps(fields_data_dir, map_run_dirs, tmp_path):
    result = blend("baseline", fields_data_dir, "--trials", 3, "--out", tmp_path / "out")
    assert result.exit_code == 2 and "--trials is for sources; leave it out for maps and fields" in result.output
    result = blend("report", fields_data_dir)
    assert result.exit_code == 1 and "is asked for field and parameters, of which a run is reported" in result.output
    shutil.copytree(map_run_dirs["parameters"], tmp_path / "run")
    result = blend("evaluate", tmp_path / "run", "--radius", 3, "-q")
    assert result.exit_code == 2 and "--radius is for sources" in result.output
