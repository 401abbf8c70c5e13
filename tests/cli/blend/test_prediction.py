"""The commands `blend export` and, with what it writes, `blend infer`."""

import numpy as np
import pytest
from astropy.io import fits

from photoz_morph.system.tables import read_fits
from tests.cli.blend.test_data import blend
from tests.support.blend_runs import SKY_SIGMA, untrained_blend_run


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Exports of a finder and of a deblender, by the command."""
    folder = tmp_path_factory.mktemp("runs")
    for network in ("unet", "probabilistic_unet"):
        run = untrained_blend_run(folder / network, network, n_members=1)
        result = blend("export", run)
        assert result.exit_code == 0, result.output
        option = {"unet": "--model", "probabilistic_unet": "--deblender"}[network]
        assert f"SavedModel in {run}/export. Next: blend infer FRAMES {option} {run}/export" in result.output
    return folder / "unet" / "export", folder / "probabilistic_unet" / "export"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A cube in g, r, i that is larger than the fields of the networks, on a sky of 20 nJy."""
    rng = np.random.default_rng(0)
    pixels = 20 + rng.normal(size=(60, 50, 3)) * SKY_SIGMA
    pixels[30, 20] += 2000
    path = tmp_path_factory.mktemp("image") / "sky.fits"
    cards = fits.Header({"BUNIT": "nJy", "PIXSCALE": 0.2})
    fits.PrimaryHDU(np.moveaxis(pixels, -1, 0).astype(np.float32), cards).writeto(path)
    return path


def test_networks_write_the_files_of_infer_with_classes_and_deblended_galaxies(exports, image, tmp_path):
    words = ("infer", image, "--model", exports[0], "--min-score", 0, "--deblender", exports[1], "--bands", "g,r,i",
             "--stamp-size", 16, "--out", tmp_path / "found")  # fmt: skip
    result = blend(*words)
    assert result.exit_code == 0, result.output
    table = read_fits(tmp_path / "found" / "sky_catalog.fits", "CATALOG")
    assert f"sky: {len(table)} sources." in result.output and len(table) > 0
    assert (table.meta["model"], table.meta["deblend"], table.meta["networks"]) == ("unet", "probabilistic_unet", 1)
    np.testing.assert_allclose(table["probability"].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(table["kind"], np.argmax(table["probability"], axis=1))
    whole = np.isfinite(table["flux_deblended"][:, 0])
    to_edge = np.min([table["y"], 59 - table["y"], table["x"], 49 - table["x"]], axis=0)
    assert whole[to_edge >= 16].all() and not whole[to_edge < 14].any()  # stamps of the deblender have 32 pixels
    assert 0 < whole.sum() < len(table) and np.all(table["flux_deblended_error"][whole] > 0)
    with fits.open(tmp_path / "found" / "sky_stamps.fits", checksum=True) as hdus:
        assert hdus["STAMPS"].data.shape == (len(table), 16, 16, 3)
        assert hdus["DEBLENDED"].data.shape == (len(table), 32, 32, 3) and hdus["DEBLENDED"].header["BANDS"] == "g,r,i"
        sums = hdus["DEBLENDED"].data[whole].sum(axis=(1, 2), dtype=float)
    np.testing.assert_allclose(table["flux_deblended"][whole], sums, rtol=1e-4, atol=1e-2)
    with fits.open(tmp_path / "found" / "sky_segmentation.fits") as hdus:
        counts = np.bincount(hdus[0].data.ravel(), minlength=len(table) + 1)[1:]
    np.testing.assert_array_equal(table["n_visible"], counts)
    assert "(kept)" in blend(*words).output
    assert "(kept)" not in blend(*words[:-1], tmp_path / "found", "--min-score", 0.9).output


@pytest.mark.parametrize(
    "words, message",
    [
        (("--model", 0), "sky: has bands 0,1,2, "),
        (("--model", 1, "--bands", "g,r,i"), "takes blends apart; give the export of a finder as --model"),
        (("--deblender", 0, "--bands", "g,r,i"), "finds sources; give the export of a deblender as --deblender"),
        (("--model", "."), ".: not an exported model (estimator.json is missing); see `blend export`"),
        (("--model", 0, "--settings", "a.json"), "--settings are those of sep, --model is another finder; give one"),
        (("--min-score", 0.5), "--min-score is that of a finder of --model; give one"),
    ],
)
def test_what_is_wrong_with_a_model_is_said_in_one_line(words, message, exports, image, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = blend("infer", image, "-q", *(exports[word] if word in (0, 1) else word for word in words))
    assert result.exit_code != 0 and message in result.output and result.output.count("\n") == 1


def test_an_export_is_not_written_over(exports):
    result = blend("export", exports[0].parent)
    assert result.exit_code == 1 and "exists; remove it or give another --out" in result.output
