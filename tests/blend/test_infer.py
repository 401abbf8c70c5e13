import json
import os

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from photoz_morph.blend.baselines.detection import SepSettings
from photoz_morph.blend.infer import Redshifts, SepFinder, catalog_of, infer_scenes
from photoz_morph.blend.scenes.files import find_scenes
from photoz_morph.blend.scenes.scene import Scene
from photoz_morph.surveys import SDSS
from photoz_morph.system.tables import read_fits, read_parquet
from tests.support.blends import SIGMA, gaussian_sources
from tests.support.paths import DATA, SHARED_DATA

PLACES = [(20.0, 22.0), (44.0, 40.0), (70.0, 60.0)]
CARDS = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 30.0, "CRVAL2": 5.0, "CRPIX1": 48.5, "CRPIX2": 48.5,
         "CDELT1": -1e-4, "CDELT2": 1e-4}  # fmt: skip
SEPARATE = SepFinder(SepSettings(threshold=3.0))


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """File of an image of three sources on a sky of 50."""
    pixels, _, _ = gaussian_sources(PLACES, 20_000, shape=(96, 96))
    pixels[5:7, 80:83] = np.nan
    path = tmp_path_factory.mktemp("image") / "sky.fits"
    fits.PrimaryHDU(np.moveaxis(pixels + 50, -1, 0), fits.Header(CARDS)).writeto(path)
    return path


@pytest.fixture(scope="module")
def found(image, tmp_path_factory):
    """Folder of what was found in it."""
    folder = tmp_path_factory.mktemp("found")
    (summary,) = infer_scenes(find_scenes([image]), folder, SEPARATE, bands=("g", "r"), stamp_size=24, progress=False)
    assert (summary.name, summary.n_sources, summary.n_known, summary.is_kept) == ("sky", 3, None, False)
    return folder


def test_the_catalogue_has_positions_on_the_sky_and_fluxes_without_it(found):
    table = read_fits(found / "sky_catalog.fits", "CATALOG")
    order = np.argsort(table["y"])
    for axis, column in zip("yx", np.array(PLACES).T):
        assert np.asarray(table[axis])[order] == pytest.approx(column, abs=0.1)
    assert table["dec"][order] == pytest.approx(5 + (np.array(PLACES)[:, 0] - 47.5) * 1e-4, abs=2e-5)
    assert table["ra"][order] == pytest.approx(
        30 - (np.array(PLACES)[:, 1] - 47.5) * 1e-4 / np.cos(np.radians(5)), abs=2e-5
    )
    assert np.asarray(table["flux"]) == pytest.approx(np.full((3, 2), 10_000), rel=0.08)
    assert table.meta["bands"] == "g,r" and table.meta["model"] == "sep" and "mags" not in table.colnames
    assert json.loads(table.meta["settings"])["threshold"] == 3.0


def test_the_segmentation_has_the_numbers_of_the_catalogue_and_the_wcs(found):
    table = read_fits(found / "sky_catalog.fits", "CATALOG")
    with fits.open(found / "sky_segmentation.fits", checksum=True) as hdus:
        numbers, header = hdus[0].data, hdus[0].header
    for row in table:
        assert numbers[int(round(row["y"])), int(round(row["x"]))] == row["number"]
        assert np.sum(numbers == row["number"]) == row["n_visible"]
    assert (header["CRVAL1"], header["CRPIX1"], header["CTYPE2"]) == (30.0, 48.5, "DEC--TAN")


def test_stamps_have_their_source_in_the_middle(found):
    with fits.open(found / "sky_stamps.fits", checksum=True) as hdus:
        stamps, table, header = hdus["STAMPS"].data, hdus["SOURCES"].data, hdus[0].header
        assert stamps.shape == (3, 24, 24, 2) and header["BANDS"] == "g,r"
        assert list(table["number"]) == [1, 2, 3] and table["is_whole"].all()
        for stamp in stamps:
            peak = np.unravel_index(np.argmax(stamp.sum(axis=-1)), (24, 24))
            assert np.abs(np.array(peak) - 11.5).max() <= 1.5
            assert stamp.sum(axis=(0, 1)) == pytest.approx([10_000] * 2, abs=5 * 24 * SIGMA.max())
    assert (found / "sky.png").read_bytes()[:4] == b"\x89PNG"


def test_files_of_the_same_image_and_options_are_kept(image, found, tmp_path):
    scenes, options = find_scenes([image]), {"bands": ("g", "r"), "stamp_size": 24, "progress": False}
    (kept,) = infer_scenes(scenes, found, SEPARATE, **options)
    assert kept.is_kept and kept.n_sources == 3
    os.utime(image)  # another image, perhaps
    (made,) = infer_scenes(scenes, found, SEPARATE, **options)
    assert not made.is_kept
    assert not infer_scenes(scenes, found, SepFinder(), **options)[0].is_kept
    (found / "sky_stamps.fits").unlink()
    assert not infer_scenes(scenes, found, SepFinder(), **options)[0].is_kept


def test_a_catalogue_can_be_parquet(image, tmp_path):
    infer_scenes(find_scenes([image]), tmp_path, SEPARATE, ".parquet", 24, ("g", "r"), progress=False)
    table = read_parquet(tmp_path / "sky_catalog.parquet")
    assert len(table) == 3 and table["flux"].shape == (3, 2) and table.meta["image"] == "sky"
    assert infer_scenes(find_scenes([image]), tmp_path, SEPARATE, ".parquet", 24, ("g", "r"), progress=False)[0].is_kept


def test_sources_are_found_in_gri_and_measured_in_all_bands():
    pixels, _, _ = gaussian_sources(PLACES[:2], 20_000, shape=(64, 64))
    noisy = np.random.default_rng(1).normal(0, 500, (64, 64, 2))
    image = np.concatenate([noisy[..., :1], np.repeat(pixels[..., :1], 3, axis=-1), noisy[..., 1:]], axis=-1)
    scene = Scene("toy", SDSS.bands, image.astype(np.float32), np.array([500, 3, 3, 3, 500.0]))
    sources, segmentation = SEPARATE(scene)
    assert len(sources) == 2 and segmentation.max() == 2 and sources["flux"].shape == (2, 5)
    assert np.asarray(sources["flux"][:, 1:4]) == pytest.approx(np.full((2, 3), 10_000), rel=0.08)


def test_magnitudes_are_those_of_the_unit_of_the_survey():
    columns = {"y": [1.0], "x": [2.0], "box": [[0, 0, 3, 3.0]], "score": [9.0], "n_visible": [4]}
    columns |= {"flux": [[1.0, 10.0, -1.0, 100.0, 1.0]], "flux_error": [[0.1] * 5]}
    table = catalog_of(Table(columns), SDSS.bands, survey=SDSS)
    np.testing.assert_allclose(table["mags"][0], [22.5, 20.0, np.nan, 17.5, 22.5])
    np.testing.assert_allclose(table["mag_errs"][0, :2], 2.5 / np.log(10) * np.array([0.1, 0.01]))
    assert table.meta["zeropt"] == 22.5 and "ra" not in table.colnames
    del columns["flux_error"]  # a finder need not know it
    assert "mag_errs" not in catalog_of(Table(columns), SDSS.bands, survey=SDSS).colnames


def test_redshifts_are_measured_on_stamps_of_the_field(tmp_path):
    seen = {}

    def measure(images, table, name):
        seen.update(images=images, table=table, name=name)
        whole = np.asarray(table["flag"]) == 0
        return Table({"z_phot": np.where(whole, 0.1, np.nan), "z_flag": table["flag"]})

    def check(survey, name):
        assert survey == SDSS

    scenes = find_scenes(sorted((DATA / "frames").glob("frame-?-003918*")))
    redshifts = Redshifts(measure, check, {"z_model": "toy"})
    (summary,) = infer_scenes(scenes, tmp_path, redshifts=redshifts, progress=False)
    table = read_fits(tmp_path / "field-003918-3-0213_catalog.fits", "CATALOG")
    n_whole = int(np.sum(np.asarray(seen["table"]["flag"]) == 0))
    assert summary.n_redshifts == n_whole == np.sum(np.asarray(table["z_phot"]) == 0.1) > 0
    assert seen["images"].shape == (len(table), 64, 64, 5) and np.isfinite(seen["images"]).all()
    assert seen["name"] == "field-003918-3-0213" and table.meta["z_model"] == "toy"
    np.testing.assert_array_equal(seen["table"]["ra"], table["ra"])
    bright = int(np.argmax(np.where(np.asarray(table["z_phot"]) > 0, table["flux"][:, 2], -np.inf)))
    peak = np.unravel_index(np.argmax(seen["images"][bright, ..., 2]), (64, 64))
    assert np.abs(np.array(peak) - 31.5).max() < 3


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="needs the scenes of scarlet beside the checkout")
def test_published_positions_of_real_scenes_are_found(tmp_path):
    scenes = find_scenes([SHARED_DATA / "scarlet_scenes" / f"{name}.npz" for name in ("hsc_cosmos", "hsc_cosmos_35")])
    found = infer_scenes(scenes, tmp_path, progress=False)
    # Of the seven of the second scene SExtractor's defaults leave four in the wings of the two bright galaxies.
    assert [(summary.n_known, summary.n_matched) for summary in found] == [(6, 6), (7, 3)]
