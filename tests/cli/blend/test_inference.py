"""The command `blend infer`."""

import json

import numpy as np
import pytest
from astropy.io import fits

from photoz_morph.system.tables import read_fits
from tests.cli.blend.test_data import blend
from tests.support.blends import gaussian_sources
from tests.support.exports import toy_photoz_export
from tests.support.paths import DATA

FRAMES = sorted((DATA / "frames").glob("frame-?-003918*"))


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return toy_photoz_export(tmp_path_factory.mktemp("toy") / "export")


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    pixels, _, _ = gaussian_sources([(20.0, 22.0), (44.0, 40.0)], 20_000)
    path = tmp_path_factory.mktemp("image") / "sky.fits"
    fits.PrimaryHDU(np.moveaxis(pixels, -1, 0)).writeto(path)
    return path


def test_frames_become_a_catalogue_with_redshifts(export, tmp_path):
    words = ("infer", *FRAMES, "--photoz", export, "--dust", "shipped", "--out", tmp_path / "found")
    result = blend(*words)
    assert result.exit_code == 0, result.output
    table = read_fits(tmp_path / "found" / "field-003918-3-0213_catalog.fits", "CATALOG")
    whole = np.asarray(table["z_flag"]) == 0
    assert f"field-003918-3-0213: {len(table)} sources, {whole.sum()} with a redshift." in result.output
    assert 0 < whole.sum() < len(table)  # the frames of 150 pixels hold some stamps of 64
    assert np.asarray(table["z_phot"])[whole] == pytest.approx(0.15) and np.isnan(table["z_phot"][~whole]).all()
    assert np.asarray(table["pdf"])[whole] == pytest.approx(np.tile([0, 1, 0, 0], (whole.sum(), 1)))
    assert np.all(np.asarray(table["ebv"])[whole] > 0)
    assert {str(reason) for reason in table["z_flag_reason"][~whole]} == {
        "the stamp reaches beyond the image, or has pixels that cannot be used"
    }
    assert {path.name for path in (tmp_path / "found").iterdir()} == {
        f"field-003918-3-0213{end}" for end in (".png", "_catalog.fits", "_segmentation.fits", "_stamps.fits")
    }
    assert "(kept)" in blend(*words).output


def test_tuned_settings_are_used(image, tmp_path):
    settings = {"threshold": 7.0, "minarea": 3}
    scores = tmp_path / "sep_scores.json"
    scores.write_text(json.dumps({"data": "simulated", "tuned_for": {"ap50": {"settings": json.dumps(settings)}}}))
    words = ("infer", image, "--out", tmp_path / "found", "--format", "parquet", "--stamp-size", 16, "-q")
    result = blend(*words, "--settings", scores, "--metric", "ap50")
    assert result.exit_code == 0 and result.output == ""
    with fits.open(tmp_path / "found" / "sky_stamps.fits") as hdus:
        assert hdus["STAMPS"].shape == (2, 16, 16, 2)
    assert (tmp_path / "found" / "sky_catalog.parquet").exists()
    result = blend(*words, "--settings", scores)
    assert "has settings for ap50, not for completeness; give one of them as --metric" in result.output
    scores.write_text(json.dumps({"data": "simulated", "tuned_for": {"ap50": {"settings": '{"threshold": -1}'}}}))
    result = blend(*words, "--settings", scores, "--metric", "ap50")
    assert "no settings of sep for ap50 in it (threshold is -1, needs to be positive); tune again" in result.output


def test_what_is_wrong_is_said_in_one_line(export, image, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for words, message in (
        (("nowhere",), "nowhere: no such file; give frames of SDSS, FITS images or .npz of scarlet"),
        ((image, "--out", "file"), "file: is a file; give the name of a folder as --out"),
        ((image, "--bands", "g"), "sky.fits: has 2 bands, 1 names are given; correct them"),
        ((image, "--photoz", export), "sky: not images of sdss in u,g,r,i,z, as "),
        ((*FRAMES[:3], "--photoz", export), "field-003918-3-0213: not images of sdss in u,g,r,i,z, as "),
        ((image, "--photoz", export, "--stamp-size", "32"), "--stamp-size is that of the model with --photoz"),
        ((image, "--settings", "nowhere.json"), "nowhere.json: no such file"),
    ):
        result = blend("infer", *words)
        assert result.exit_code != 0 and message in result.output and result.output.count("Error") == 1
        assert "Traceback" not in result.output
