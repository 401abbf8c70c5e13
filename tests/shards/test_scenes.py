
import warnings

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from photoz_morph.shards.scenes import (
    NATIVE_PIXEL_KPC,
    find_scene_shards,
    iter_scenes,
    read_scene_catalog,
    scene_shard_path,
    write_scene_shard,
)
from tests.support.broken_input import cut_short, flipped
from tests.support.galaxies import lumpy_disks

TNG = FlatLambdaCDM(H0=67.74, Om0=0.3089)


@pytest.fixture
def shard(tmp_path):
    images, table = lumpy_disks(3, size=100)
    path = scene_shard_path(tmp_path, 0)
    write_scene_shard(path, images, table, [("SEED", 4, "of the simulation")])
    return path, images, table


def test_camera_pixel_is_0_2_arcsec_at_redshift_0_05_in_the_cosmology_of_tng():
    assert NATIVE_PIXEL_KPC == pytest.approx(0.2 * TNG.kpc_proper_per_arcmin(0.05).value / 60, rel=1e-4)


def test_scene_keeps_its_flux_and_its_dark_pixels_in_one_megabyte(tmp_path):
    images, table = lumpy_disks(2)
    path = scene_shard_path(tmp_path, 0)
    write_scene_shard(path, images, table)
    for image, scene in zip(images, iter_scenes(path)):
        total = image.sum(axis=(0, 1), dtype=float)
        np.testing.assert_allclose(scene.image.sum(axis=(0, 1), dtype=float), total, rtol=1e-4)
        np.testing.assert_allclose(scene.image, image, rtol=0.0005 * 0.93)  # half a step of 0.001 mag
        assert np.array_equal(scene.image == 0, image == 0)
    assert path.stat().st_size < 1e6 * len(images)


def test_shard_comes_back_with_its_truth(shard):
    path, _, table = shard
    scene = list(iter_scenes(path))[2]
    assert (scene.obj_id, scene.group_id, scene.intended_type, scene.pixel_kpc) == (2, 1, 2, NATIVE_PIXEL_KPC)
    assert scene.table_row == {"subhalo_id": 102}
    read_table, header = read_scene_catalog(path)
    assert read_table.colnames == table.colnames and header["SEED"] == 4 and header["BANDS"] == "g,r,i"


def test_any_fits_reader_sees_surface_brightness(shard):
    path, images, _ = shard
    mag = fits.getdata(path, "IMAGE")[1, 2]
    with np.errstate(divide="ignore"):  # 1 nJy in a pixel of 0.04 arcsec^2
        expected = -2.5 * np.log10(images[1, :, :, 2] * 1e-9 / 3631 / 0.2**2)
    np.testing.assert_allclose(mag[np.isfinite(mag)], expected[np.isfinite(expected)], atol=0.0006)
    assert np.array_equal(np.isnan(mag), np.isinf(expected))


def test_rows_can_be_read_alone(shard):
    assert [scene.obj_id for scene in iter_scenes(shard[0], [2, 0])] == [2, 0]


def test_warnings_of_the_caller_stay_warnings_while_scenes_are_read(shard):
    filters = list(warnings.filters)
    for _ in iter_scenes(shard[0]):
        assert warnings.filters == filters
        with pytest.warns(AstropyUserWarning, match="of the caller"):
            warnings.warn("of the caller", AstropyUserWarning)
    # An iterator given up halfway is closed at an unknown time, and must not bring back the filters of its start.
    scenes = iter_scenes(shard[0])
    next(scenes)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "set meanwhile")
        filters = list(warnings.filters)
        scenes.close()
        assert warnings.filters == filters


@pytest.mark.parametrize("value", [-1, np.nan, np.inf])
def test_pixel_that_is_no_light_is_named(tmp_path, value):
    images, table = lumpy_disks(2, size=20)
    images[1, 3, 4, 2] = value
    with pytest.raises(ValueError, match="scene 1 has 1 pixels that are negative or not finite, the first in band i"):
        write_scene_shard(tmp_path / "scenes-00000.fits", images, table)


@pytest.mark.parametrize("damage", [cut_short, flipped(offset=-20_000)])
def test_damaged_shard_is_named(shard, damage):
    damage(shard[0])
    with pytest.raises(ValueError, match="scenes-00000.fits: cannot be read as a shard of scenes .* make it again"):
        list(iter_scenes(shard[0]))


def test_other_bands_shapes_and_tables_are_refused(shard):
    path, images, table = shard
    with pytest.raises(ValueError, match=r"images have shape \(3, 3, 100, 100\), its 3 rows need"):
        write_scene_shard(path, np.moveaxis(images, -1, 1), table)
    with pytest.raises(ValueError, match="table lacks column group_id"):
        write_scene_shard(path, images, table["obj_id", "intended_type"])
    fits.setval(path, "BANDS", value="i,r,g")
    with pytest.raises(ValueError, match="BANDS is i,r,g, scenes have g,r,i"):
        read_scene_catalog(path)


def test_empty_folder_says_how_to_fill_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="morph simulate"):
        find_scene_shards(tmp_path)
