"""Faults of images, scenes, mocks and label files, and the error line of the morphology commands for each."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

from photoz_morph.cli.morph import main
from photoz_morph.shards.mocks import mock_shard_path, write_mock_shard
from tests.support.samples import MOCK_HEADER, shape_mocks


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refused(command, *pieces):
    """A command must end with exit code 1 or 2 and one line that holds the pieces."""
    result = CliRunner().invoke(main, command.split() if isinstance(command, str) else [str(word) for word in command])
    assert result.exit_code in (1, 2), f"{result.output}\n{result.exception!r}"
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1 and result.stderr.splitlines()[-1] == lines[0], result.stderr
    for piece in pieces:
        assert piece in lines[0]
    return lines[0]


def write_image(path="galaxy.fits", shape=(3, 60, 60), flux=None, **cards):
    """A noiseless image as a simulation might give it."""
    image = np.full(shape, 5.0) if flux is None else flux
    header = fits.Header({"BUNIT": "nJy", "PIXKPC": 0.25, "BANDS": "g,r,i"} | cards)
    fits.PrimaryHDU(image, fits.Header([card for card in header.items() if card[1] is not None])).writeto(path)


def test_wrong_band_order():
    write_image(BANDS="i,r,g")
    refused("mock galaxy.fits", "galaxy.fits: its bands are i,r,g", "g,r,i in that order, reorder them")


def test_wrong_number_of_bands():
    write_image(shape=(5, 60, 60), BANDS=None)
    refused("mock galaxy.fits", "galaxy.fits: shape (5, 60, 60) has 5 bands on the first axis; give g,r,i")


def test_channels_first_given_as_last_and_the_reverse():
    write_image()
    refused("mock galaxy.fits --band-axis last", "shape (3, 60, 60) has its bands first, not last")
    write_image("last.fits", shape=(60, 60, 3))
    refused("mock last.fits", "shape (60, 60, 3) has its bands last, not first; say so with --band-axis last")


def test_wrong_or_missing_unit():
    write_image(BUNIT="count")
    refused("mock galaxy.fits", "galaxy.fits: unit is 'count'", "convert it to one of nJy, mag/arcsec2")
    write_image("none.fits", BUNIT=None)
    refused("mock none.fits", "none.fits: unit is not in the file; give it (option --unit)")
    write_image("magnitudes.fits", BUNIT="mag/arcsec2", flux=np.full((3, 60, 60), 1e-3))
    refused("mock magnitudes.fits", "brighter than any galaxy; check the unit")


def test_missing_pixel_scale_not_a_number_and_negative_flux():
    write_image(PIXKPC=None)
    refused("mock galaxy.fits", "galaxy.fits: pixel_kpc is not in the file; give it (option --pixel-kpc)")
    for number, value in enumerate((np.nan, -1.0)):
        flux = np.full((3, 60, 60), 5.0)
        flux[1, 30, 30] = value
        write_image(f"{number}.fits", flux=flux)
        refused(f"mock {number}.fits", f"{number}.fits: image", "1 pixel")


def test_truncated_image_and_no_image():
    write_image()
    content = Path("galaxy.fits").read_bytes()
    Path("short.fits").write_bytes(content[: len(content) // 2])
    refused("mock short.fits", "short.fits: cannot be read", "truncated")
    refused("mock nothing.fits", "nothing.fits: no such file")
    refused("mock nowhere/", "nowhere")


def test_options_that_do_not_go_together():
    refused("mock --tng images", "give --tng and --morphologies together")
    refused("mock --unit nJy --redshift 0.1", "--redshift does not go with a folder of scenes")
    refused("mock --zero-point 22 a.fits", "--zero-point does not go with image files")
    refused("mock --processes 2 a.fits", "--processes goes with a folder of scenes")
    refused("mock --years 11", "11 is not in the range 1<=x<=10", "see `main mock --help`")


def test_label_file_of_another_length(tmp_path):
    for band, n_rows in (("g", 5), ("i", 5)):
        with h5py.File(tmp_path / f"morphs_snap095_{band}.hdf5", "w") as file:
            for name in ("subfind_id", "gini", "m20", "flag"):
                file[name] = np.arange(n_rows - (name == "m20" and band == "i"))
    refused(["mock", "--tng", tmp_path, "--morphologies", tmp_path], "morphs_snap095_i.hdf5", "m20", "4", "5")


def released(folder, n_labels=6, shape=(6, 3, 100, 100)):
    folder.mkdir()
    for split in ("train", "valid", "test"):
        for depth in ("Y10", "Y1"):
            np.save(folder / f"images_{depth}_{split}.npy", np.zeros(shape))
        np.save(folder / f"labels_{split}.npy", np.eye(3, dtype=int)[np.arange(n_labels) % 3])
    return folder


def test_released_labels_of_another_length_and_channels_last(tmp_path):
    folder = released(tmp_path / "a", 5)
    refused(["build", "--released", folder], "images_Y10_train.npy: 6 images, but the labels", "5 rows")
    folder = released(tmp_path / "b", shape=(6, 100, 100, 3))
    refused(["build", "--released", folder], "images_Y10_train.npy", "(6, 100, 100, 3)")
    refused(["build", "--released", tmp_path / "c"], "labels_train.npy: no such file; fetch all nine arrays")


def test_stamps_of_another_survey_depth_unit_or_binning(morph_run_dirs, stacks_dir, tmp_path):
    folder = tmp_path / "export"
    result = CliRunner().invoke(main, ["export", str(morph_run_dirs["regular"]), "--out", str(folder)])
    assert result.exit_code == 0, result.output
    refused(["infer", folder, stacks_dir / "stacks-00000.fits"], "stacks-00000.fits")
    images, table = shape_mocks(10)
    summed = [("BINNING", "sum", "") if card[0] == "BINNING" else card for card in MOCK_HEADER]
    write_mock_shard(mock_shard_path(tmp_path, 0), images, table, summed)
    refused(["infer", folder, tmp_path], "BINNING is sum", "was trained on sample; mock again with it")
    refused(["infer", folder, tmp_path, "--years", "5"], "holds depths 10,1, not 5; give one of these as --years")
    refused(["infer", tmp_path, tmp_path], "not an exported model", "see `morph export`")
    refused(["export", morph_run_dirs["regular"], "--out", folder], "exists; remove it or give another --out")


def test_a_photoz_model_and_run_are_refused(run_dir, mocks_dir):
    refused(["evaluate", run_dir], "is a config of `photoz`, not of `morph`")
    refused(["status", run_dir], "is a config of `photoz`, not of `morph`")
    refused(["train", "photoz_sdss.yaml"], "is a config of `photoz`, not of `morph`; use it with `photoz`")


def test_broken_shards(mocks_dir, tmp_path):
    path = tmp_path / "mocks" / "mocks-00000.fits"
    path.parent.mkdir()
    shutil.copy(mocks_dir / path.name, path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused("build mocks", "mocks-00000.fits")
    path.write_bytes(content)
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["BANDS"] = "i,r,g"
    refused("build mocks", "mocks-00000.fits", "i,r,g")
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["BANDS"] = "g,r,i"
        hdus["Y1"].data[4, 50, 50, 1] = np.nan
    refused("build mocks", "mocks-00000.fits")
    assert not (tmp_path / "morph_data" / "tng_lsst_mocks" / "1.0.0").exists()


def test_runs_of_different_galaxies_cannot_be_compared(morph_run_dirs, mocks_dir, tmp_path):
    from photoz_morph.morph.predict import predict_morph_run
    from photoz_morph.morph.predictions import write_morph_predictions

    for split in ("test", "validation"):
        write_morph_predictions(
            predict_morph_run(morph_run_dirs["mmd"], split=split, progress=False), tmp_path / f"{split}.fits"
        )
    refused("evaluate test.fits --against validation.fits", "galaxies")
