"""The commands `photoz compare` and `photoz evaluate` on run folders and tables of predictions."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.config import load_config
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predictions import predictions_table, read_predictions, write_predictions
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.runs.folder import member_dir, start_run
from photoz_morph.surveys import SDSS

GRID = RedshiftGrid()


def predictions(path, scatter, grid=GRID, origin="simulated", n=400):
    """Write predictions of the same galaxies, with their own scatter; the folder is made."""
    rng = np.random.default_rng(0)
    z_spec, offset = rng.uniform(0.05, 0.35, n), rng.normal(size=n)
    pdf = np.exp(-0.5 * ((grid.midpoints - (z_spec + scatter * offset)[:, None]) / scatter) ** 2)
    columns = {"obj_id": np.arange(n), "z_spec": z_spec, "fold": np.arange(n) % 2}
    table = predictions_table(columns, pdf / pdf.sum(axis=1, keepdims=True), grid, SDSS, origin, "toy")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_predictions(table, path)
    return path


def run_folder(path, scatter):
    """A run whose one network is finished and whose galaxies are predicted."""
    dataset = {"path": "data", "name": "sdss_ugriz", "origin": "simulated", "galaxies_per_fold": [200, 200]}
    start_run(path, load_config("photoz_simulated.yaml", PhotozConfig), dataset, ["CPU"])
    member_dir(path, 0, 0).mkdir(parents=True)
    (member_dir(path, 0, 0) / "model.keras").touch()
    predictions(path / "predictions.fits", scatter)
    return path


def photoz_compare(*arguments):
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


def test_runs_and_tables_are_compared_by_name(tmp_path):
    sharp = run_folder(tmp_path / "sharp", 0.01)
    blunt = predictions(tmp_path / "blunt.parquet", 0.02, RedshiftGrid(0.0, 0.5, 100))
    result = photoz_compare(sharp, blunt, "--out", tmp_path / "scores.json")
    assert result.exit_code == 0, result.output
    assert "**sharp and blunt on the same 400 simulated galaxies**" in result.output
    assert "sharp beats blunt on 400 simulated galaxies: sigma_MAD 0.0" in result.output
    assert "| CRPS | " in result.output and "| PIT AD | " in result.output
    comparison = json.loads((tmp_path / "scores.json").read_text())
    assert list(comparison["methods"]) == ["sharp", "blunt"] and comparison["n_bootstrap"] == 200
    low, high = comparison["differences"]["blunt"]["sigma_mad"]["interval"]
    assert 0 < low < comparison["differences"]["blunt"]["sigma_mad"]["value"] < high


def test_a_choice_of_galaxies_is_scored_and_does_not_become_the_scores_of_the_run(tmp_path):
    path = predictions(tmp_path / "table.fits", 0.01)

    def evaluate(*options):
        return CliRunner().invoke(main, ["evaluate", str(path), *map(str, options)])

    result = evaluate("--widest-removed", 0.25, "--out", tmp_path / "narrow.json")
    assert result.exit_code == 0 and "(300 scored" in result.output and (tmp_path / "narrow.json").is_file()
    assert evaluate("--widest-removed", 0.25).exit_code == 0 and not list(tmp_path.glob("*scores.json"))
    assert evaluate().exit_code == 0 and (tmp_path / "table_scores.json").is_file()
    refused = evaluate("--without", "stripes=38-39")
    assert refused.exit_code == 1 and refused.output.count("\n") == 1
    assert "table.fits: the predictions have no column ra, dec" in refused.output


def test_three_methods_are_each_compared_with_the_first(tmp_path):
    paths = [predictions(tmp_path / name / "knn.fits", 0.01 * scatter) for scatter, name in enumerate("abc", 1)]
    result = photoz_compare(*paths, "--n-bootstrap", 20)
    assert result.exit_code == 0, result.output
    assert "**a/knn and b/knn and c/knn on the same" in result.output
    assert "b/knn - a/knn" in result.output and "c/knn - a/knn" in result.output
    assert "c/knn - b/knn" not in result.output


@pytest.mark.parametrize(
    "second, message",
    [
        (lambda folder: [], "give two or more run folders or tables of predictions"),
        (
            lambda folder: [folder / "first" / "predictions.fits"],
            "first: given twice; compare different runs",
        ),
        (
            lambda folder: [predictions(folder / "real.fits", 0.01, origin="stacked")],
            "simulated and real galaxies cannot",
        ),
        (lambda folder: [predictions(folder / "few.fits", 0.01, n=1)], "have a single good galaxy in common"),
        (lambda folder: [folder / "none.fits"], "none.fits: no such file"),
    ],
)
def test_comparisons_that_cannot_be_made_say_why_in_one_line(tmp_path, second, message):
    result = photoz_compare(run_folder(tmp_path / "first", 0.01), *second(tmp_path))
    assert result.exit_code != 0 and result.output.startswith("Error: ")
    assert message in result.output and len(result.output.splitlines()) == 1


def test_a_wrong_name_of_the_output_is_refused_before_the_work(tmp_path):
    result = photoz_compare("nowhere", "elsewhere", "--out", tmp_path / "scores.csv")
    assert "must end in .json" in result.output and not Path(tmp_path / "scores.csv").exists()


def photoz_evaluate(*arguments):
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def test_predictions_of_another_program_are_scored_against_a_catalogue(tmp_path):
    table, _ = read_predictions(predictions(tmp_path / "ours.fits", 0.01))
    Table({"objid": table["obj_id"], "z_spec": table["z_spec"]}).write(tmp_path / "truth.csv")
    np.savez(tmp_path / "other.npz", id=table["obj_id"][:300], pdf=2 * table["pdf"][:300], grid=GRID.edges)
    result = photoz_evaluate(tmp_path / "other.npz", "--truth", tmp_path / "truth.csv", "--bins", 3)
    assert result.exit_code == 0, result.output
    assert "100 galaxies of the truth have no prediction" in result.output
    assert "300 of 300 rows matched to the 400 of truth.csv by id = objid" in result.output
    assert "300 PDFs did not integrate to one within 1 % and are normalised" in result.output
    scores = json.loads((tmp_path / "other_scores.json").read_text())
    assert scores["truth"]["n_missing"] == 100 and scores["all"]["crps"]["value"] > 0
    assert len(scores["tomography"]["bins"]) == 3 and "The mean redshift of the stacked PDFs is off" in result.output
    assert scores["trends"]["z_phot"]["bias"]["finding"] and "**Trends of sigma_MAD**" in result.output


@pytest.mark.parametrize(
    "options, message",
    [
        (["--point", "z"], "--point goes with --truth"),
        (["--simulated"], "--simulated goes with --truth"),
        (["--truth", "nothing.csv"], "nothing.csv: no such file"),
        (["--truth", "{path}", "--grid", "0,1,2"], "--grid is '0,1,2'"),
        (["--truth", "{path}", "--truth-id", "name"], "no column name"),
    ],
)
def test_options_of_the_truth_that_make_no_sense_are_refused(tmp_path, options, message):
    path = predictions(tmp_path / "ours.fits", 0.01, n=20)
    result = photoz_evaluate(path, *(option.format(path=path) for option in options))
    assert result.exit_code in (1, 2) and message in result.output and len(result.output.splitlines()) == 1
