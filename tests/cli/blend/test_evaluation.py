"""The commands `blend baseline` and `blend report`."""

import shutil

import pytest
from astropy.io import fits

from photoz_morph.blend.baselines import tuning
from photoz_morph.blend.deblended import read_deblended
from photoz_morph.cli.blend.evaluation import METRICS
from photoz_morph.runs.scores import read_scores
from tests.cli.blend.test_data import blend
from tests.support.pages import Page


@pytest.fixture(scope="module")
def sep(blend_data_dir, tmp_path_factory):
    """Folder of what an untuned sep found."""
    out = tmp_path_factory.mktemp("baseline") / "sep"
    words = ("--metric", "source_iou", "--trials", 0, "--tune-on", 2, "--processes", 1, "--out", out, "-q")
    assert blend("baseline", blend_data_dir, *words).exit_code == 0
    return out


def test_baseline_writes_sources_and_scores(blend_data_dir, tmp_path):
    out = tmp_path / "sep"
    words = ("baseline", blend_data_dir, "--metric", "source_iou", "--trials", 1, "--tune-on", 2, "--processes", 1,
             "--out", out)  # fmt: skip
    result = blend(*words)
    assert result.exit_code == 0, result.output
    assert "| completeness at purity 0.95, all | " in result.output
    assert f"Sources in {out}/source_iou.fits, scores in {out}/sep_scores.json." in result.output
    scores = read_scores(out / "sep_scores.json", "blend")["tuned_for"]["source_iou"]
    header = fits.getheader(out / "source_iou.fits", "PREDICTIONS")
    assert scores["n_detections"] == header["NAXIS2"] and scores["metric"] == header["METRIC"] == "source_iou"
    assert (header["N_TRIALS"], header["N_TUNED"], header["DATASET"]) == (1, 2, "lsst_pairs")
    assert blend(*words, "-q").output == ""


def test_metrics_of_the_option_are_those_that_can_be_tuned():
    assert METRICS == tuple(tuning.METRICS)


@pytest.mark.parametrize(
    "words, message",
    [
        (("nowhere",), "nowhere: no prepared dataset found; make one with `blend build BLENDS --data-dir nowhere`"),
        (("nowhere", "--metric", "ap75"), "'ap75' is not one of 'all', 'completeness', 'ap50'"),
        (("nowhere", "--out", "file"), "file: is a file; give the name of a folder as --out"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    result = blend("baseline", *words)
    assert result.exit_code != 0 and message in result.output and result.output.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_report_of_a_dataset_shows_what_its_baseline_found(blend_data_dir, sep, tmp_path, undrawn):
    out, other = sep, tmp_path / "other.fits"
    other.write_bytes((out / "source_iou.fits").read_bytes())
    result = blend("report", blend_data_dir, "--baseline", out, "--against", other)
    assert result.exit_code == 0 and f"Report in {out}/report/report.html." in result.output
    page = Page((out / "report" / "report.html").read_text())
    assert "other finds " in page.visible and "sep for IoU" in page.visible
    scores = read_scores(out / "sep_scores.json", "blend")["tuned_for"]["source_iou"]
    iou = scores["source_iou"]["all"]["value"]
    assert f"| IoU of sources, all | {iou:.3f} " in (out / "report" / "scores.md").read_text()


@pytest.mark.parametrize(
    "words, message",
    [
        (("nowhere",), "baseline_sep: no predictions of sep in it, `blend baseline` of the dataset writes them; give "),
        (("nowhere", "--baseline", "b"), "b: no predictions of sep in it"),
        (("nowhere", "--against", "a.fits"), "a.fits: no such file"),
        (("nowhere", "--against", "a.fits", "--against", "b/a.fits"), "two predictions of a report are named a; "),
        (("run",), "run/predictions.fits: no such file; predict the test images of run first"),
        (("nowhere", "--data-dir", "d"), "--data-dir is for a RUN; give the folder of a dataset alone"),
    ],
)
def test_what_a_report_lacks_is_said_in_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").touch()
    result = blend("report", *words)
    assert result.exit_code != 0 and message in result.output and result.output.count("\n") == 1


def test_report_of_a_deblender_shows_its_galaxies_beside_those_of_sep(blend_run_dirs, sep, tmp_path, undrawn):
    run = shutil.copytree(blend_run_dirs["probabilistic_unet"], tmp_path / "net")
    assert blend("predict", run, "--samples", 39, "-q").exit_code == 0
    result = blend("report", run, "--baseline", sep, "--against", sep / "source_iou.fits")
    assert result.exit_code == 1 and "source_iou.fits" in result.output and result.output.count("\n") == 1
    result = blend("report", run, "--baseline", sep)
    assert result.exit_code == 0 and f"Report in {run}/report/report.html." in result.output, result.output
    page = Page((run / "report" / "report.html").read_text())
    n_images = len(read_deblended(run / "predictions.fits"))
    assert f"The fluxes that net gives {n_images} simulated galaxies" in page.visible
    assert "; those of sep for IoU" in page.visible
    assert "the galaxy with the least, the median and the largest error of the flux by net" in page.visible
    table = (run / "report" / "scores.md").read_text()
    assert "| score | net | sep for IoU |" in table and "| pixels within the interval of 95 % | " in table
