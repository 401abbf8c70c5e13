"""TNG catalogues and image folders, on small files of their layout and on the real catalogues."""

import h5py
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from astropy.io import fits
from astropy.table import Table

from photoz_morph.mocks.tng import iter_tng_scenes, read_tng_morphologies
from photoz_morph.shards.scenes import Scene

GINI_M20 = {  # spiral, elliptical, merger and a failed measurement, by the cuts of Lotz et al. (2008)
    "gini": [0.45, 0.60, 0.60, -99.0],
    "m20": [-1.7, -2.2, -1.0, -99.0],
    "flag": [0, 0, 1, 1],
}
FLUXES = {"g": 1.0, "r": 3.0, "i": 5.0, "z": 7.0}


def write_catalog(folder, snapshot, band, **changes):
    columns = {"subfind_id": [3, 5, 8, 12], **GINI_M20, **changes}
    with h5py.File(folder / f"morphs_snap{snapshot:03d}_{band}.hdf5", "w") as file:
        for name, column in columns.items():
            if column is not None:
                file[name] = np.asarray(column, np.int32 if name in ("subfind_id", "flag") else np.float32)


@pytest.fixture
def catalogs(tmp_path):
    write_catalog(tmp_path, 95, "i")
    write_catalog(tmp_path, 95, "g", gini=[0.45, 0.45, 0.6, 0.5])
    return tmp_path


def write_image(folder, snapshot, subhalo_id, changes=(), order="griz", survey="panstarrs"):
    """An image of 4 x 4 pixels of 0.4 kpc whose layers have the values of FLUXES, plus 1 in one pixel."""
    cube = np.stack([np.full((4, 4), FLUXES[band], np.float32) for band in order])
    cube[:, 1, 3] += 1
    cards = {"BUNIT": "nJy", "CDELT1": 400.0, "CTYPE1": "pc", "USE_Z": 0.05}
    cards |= {f"LAYER{number}": f"{survey}_{band}" for number, band in enumerate(order)} | dict(changes)
    path = folder / f"snapnum_{snapshot:03d}" / "data" / f"broadband_{subhalo_id}.fits"
    path.parent.mkdir(parents=True, exist_ok=True)
    header = fits.Header({name: value for name, value in cards.items() if value is not None})
    fits.writeto(path, cube, header)
    return path


def test_labels_of_both_bands_are_from_gini_and_m20(catalogs):
    table = read_tng_morphologies(catalogs)
    assert table["label"].tolist() == [0, 1, 2, -1]
    assert table["label_g"].tolist() == [0, 0, 2, -1]
    assert table["flag"].tolist() == [0, 0, 0, 1]
    assert table["quality_flag"].tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(table["gini"], [0.45, 0.60, 0.60, np.nan], rtol=1e-6)
    assert np.isnan(table["m20"]).tolist() == [False, False, False, True]


def test_same_number_in_two_snapshots_is_another_galaxy_and_is_reported(catalogs):
    write_catalog(catalogs, 99, "i")
    write_catalog(catalogs, 99, "g")
    with pytest.warns(UserWarning, match="snapshots 095, 099 hold the same galaxies .* or give a table of groups"):
        table = read_tng_morphologies(catalogs)
    assert table["subhalo_id"].tolist() == [3, 5, 8, 12] * 2
    assert len(set(table["obj_id"])) == len(set(table["group_id"])) == 8


def test_merger_tree_puts_a_galaxy_and_its_later_self_in_one_group(catalogs, recwarn):
    write_catalog(catalogs, 99, "i")
    write_catalog(catalogs, 99, "g")
    groups = Table({"snapshot": [95, 99, 95], "subhalo_id": [3, 8, 5], "group_id": [70, 70, 71]})
    table = read_tng_morphologies(catalogs, groups)
    assert not recwarn
    group = dict(zip(zip(table["snapshot"], table["subhalo_id"]), table["group_id"]))
    assert group[95, 3] == group[99, 8] == 70 and group[95, 5] == 71
    groups.write(catalogs / "groups.csv")
    assert list(read_tng_morphologies(catalogs, catalogs / "groups.csv")["group_id"]) == list(table["group_id"])
    with pytest.raises(FileNotFoundError, match="none.csv: no such file; give a table of snapshot"):
        read_tng_morphologies(catalogs, catalogs / "none.csv")
    (catalogs / "broken.csv").write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match="broken.csv: cannot be read as a table"):
        read_tng_morphologies(catalogs, catalogs / "broken.csv")
    assert len(set(table["group_id"])) == 7


@pytest.mark.parametrize(
    "columns, message",
    [
        ({"subhalo_id": None}, r"column subhalo_id is missing \(columns found: snapshot, group_id\)"),
        ({"group_id": [1, 2]}, "snapshot 95, subhalo 3 has group 2; give each subhalo one group"),
        ({"group_id": [1, -2], "subhalo_id": [3, 5]}, "subhalo 5 has group -2; .* not negative"),
    ],
)
def test_wrong_table_of_groups_is_refused(catalogs, columns, message):
    columns = {"snapshot": [95, 95], "subhalo_id": [3, 3], "group_id": [1, 1], **columns}
    groups = Table({name: column for name, column in columns.items() if column is not None})
    with pytest.raises(ValueError, match=f"table of groups: .*{message}"):
        read_tng_morphologies(catalogs, groups)


@pytest.mark.parametrize(
    "band, changes, message",
    [
        ("i", {"gini": [0.5, 0.5]}, r"_i.hdf5: dataset gini has shape \(2,\), subfind_id \(4,\)"),
        ("g", {"flag": [0] * 5}, r"_g.hdf5: dataset flag has shape \(5,\), subfind_id \(4,\)"),
        ("g", {"m20": None}, "_g.hdf5: cannot be read as a morphology catalogue .*no dataset m20"),
        ("g", {"subfind_id": [3, 5, 9, 12]}, "_g.hdf5: row 2 is subhalo 9, but 8 in .*_i.hdf5; sort both"),
        (
            "g",
            {name: column[:3] for name, column in {"subfind_id": [3, 5, 8], **GINI_M20}.items()},
            "_g.hdf5: 3 galaxies, but morphs_snap095_i.hdf5 has 4",
        ),
    ],
)
def test_catalogues_that_do_not_fit_are_reported_in_one_line(catalogs, band, changes, message):
    write_catalog(catalogs, 95, band, **changes)
    with pytest.raises(ValueError, match=message) as error:
        read_tng_morphologies(catalogs)
    assert "\n" not in str(error.value)


def test_a_catalogue_that_declares_more_than_it_holds_is_refused_at_once(catalogs):
    with h5py.File(catalogs / "morphs_snap095_i.hdf5", "a") as file:
        del file["gini"]
        file.create_dataset("gini", (10**11,), np.float64, chunks=(1000,), compression="gzip")
    with pytest.raises(ValueError, match="_i.hdf5: .*dataset /gini declares 800 GB, more than its 0 bytes can hold"):
        read_tng_morphologies(catalogs)


def test_missing_and_damaged_catalogues_are_named(catalogs, tmp_path):
    (catalogs / "morphs_snap095_g.hdf5").write_bytes(b"not HDF5")
    with pytest.raises(ValueError, match="morphs_snap095_g.hdf5: cannot be read as a morphology catalogue"):
        read_tng_morphologies(catalogs)
    (catalogs / "morphs_snap095_g.hdf5").unlink()
    with pytest.raises(FileNotFoundError, match="morphs_snap095_g.hdf5: no such file"):
        read_tng_morphologies(catalogs)
    with pytest.raises(FileNotFoundError, match="empty: no morphs_snapNNN_g.hdf5"):
        read_tng_morphologies(tmp_path / "empty")


def test_scene_has_bands_by_name_and_the_row_of_its_galaxy(catalogs, tmp_path):
    write_image(tmp_path, 95, 8)
    write_image(tmp_path, 95, 5, order="zirg", survey="SDSS_r")  # another order, and a name with an r in it
    scenes = list(iter_tng_scenes(tmp_path, read_tng_morphologies(catalogs)))
    assert [scene.table_row["subhalo_id"] for scene in scenes] == [5, 8]
    for scene in scenes:
        assert isinstance(scene, Scene) and scene.image.dtype == np.float32
        assert scene.pixel_kpc == pytest.approx(0.4)
        np.testing.assert_allclose(scene.image[0, 0], [1, 3, 5], rtol=1e-6)
        np.testing.assert_allclose(scene.image[1, 3], [2, 4, 6], rtol=1e-6)
    assert scenes[1].obj_id == scenes[1].group_id == 95_000_000_008
    assert scenes[1].table_row["label_tng"] == 2 and scenes[1].table_row["gini_tng"] == pytest.approx(0.6)


def test_flux_is_moved_by_the_inverse_square_of_the_distance(catalogs, tmp_path):
    write_image(tmp_path, 95, 8, {"USE_Z": 0.0485})
    (scene,) = iter_tng_scenes(tmp_path, read_tng_morphologies(catalogs))
    cosmology = FlatLambdaCDM(H0=67.74, Om0=0.3089)
    moved = float((cosmology.luminosity_distance(0.0485) / cosmology.luminosity_distance(0.05)) ** 2)
    np.testing.assert_allclose(scene.image[0, 0], [moved, 3 * moved, 5 * moved], rtol=1e-5)


@pytest.mark.parametrize(
    "unit, options, njy",
    [
        ("nJy/pixel", {}, 1.0),
        ("nanomaggies", {}, 3631.0),  # 1e-9 of the 3631 Jy of AB magnitude zero
        ("counts/s/pixel", {"zero_point": 25.0}, 363.1),  # AB 25 is 3631 Jy x 1e-10
    ],
)
def test_flux_is_in_njy(catalogs, tmp_path, unit, options, njy):
    write_image(tmp_path, 95, 8, {"BUNIT": unit})
    (scene,) = iter_tng_scenes(tmp_path, read_tng_morphologies(catalogs), **options)
    # 31.4 is 2.5 log10(3631e9) to 6e-5 mag
    np.testing.assert_allclose(scene.image[0, 0], np.array([1, 3, 5]) * njy, rtol=1e-4)


def test_options_stand_in_for_the_header(catalogs, tmp_path):
    write_image(tmp_path, 95, 8, {"CTYPE1": None, "USE_Z": None, "LAYER0": None, "BUNIT": None})
    options = {"layers": (0, 1, 2), "zero_point": 31.4, "pixel_kpc": 0.3, "redshift": 0.05}
    (scene,) = iter_tng_scenes(tmp_path, read_tng_morphologies(catalogs), **options)
    np.testing.assert_allclose(scene.image[0, 0], [1, 3, 5], rtol=1e-6)
    assert scene.pixel_kpc == 0.3


@pytest.mark.parametrize(
    "changes, options, message",
    [
        ({"BUNIT": "counts/s/pixel"}, {}, "unit is 'counts/s/pixel'; give the AB magnitude .*zero_point"),
        ({"CTYPE1": "RA---TAN"}, {}, r"no CDELT1 in pc; give the side of a pixel \(pixel_kpc\)"),
        ({"CDELT1": None}, {}, "no CDELT1 in pc"),
        ({"USE_Z": 0.0}, {}, "USE_Z is 0.0; give the redshift"),
        ({"LAYER2": "panstarrs_y"}, {}, r"no layers for g, r, i \(LAYER keywords: panstarrs_g, panstarrs_r"),
        ({}, {"layers": (1, 2, 4)}, r"layers \(1, 2, 4\) were asked for, but it has 4; give those of g, r, i"),
        ({}, {"layers": (0, 1)}, r"layers \(0, 1\) were asked for, but it has 4"),
    ],
)
def test_image_that_does_not_say_what_it_is_is_refused(catalogs, tmp_path, changes, options, message):
    write_image(tmp_path, 95, 8, changes)
    with pytest.raises(ValueError, match=f"broadband_8.fits: {message}") as error:
        next(iter_tng_scenes(tmp_path, read_tng_morphologies(catalogs), **options))
    assert "\n" not in str(error.value)


def test_image_of_wrong_shape_and_broken_pixel_are_named(catalogs, tmp_path):
    path = write_image(tmp_path, 95, 8)
    for cube, message in ((np.ones((4, 4)), r"shape \(4, 4\); give a cube"), (np.full((4, 4, 4), np.nan), "nan")):
        fits.writeto(path, cube, fits.getheader(path), overwrite=True)
        with pytest.raises(ValueError, match=f"broadband_8.fits: .*{message}"):
            next(iter_tng_scenes(tmp_path, read_tng_morphologies(catalogs)))
    (path.parent / 'broadband_old.fits').write_bytes(b'')  # not of a subhalo
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="broadband_8.fits: cannot be read as a TNG image cube"):
        next(iter_tng_scenes(tmp_path, read_tng_morphologies(catalogs)))


def test_images_of_no_galaxy_of_the_table_or_of_one_twice_are_refused(catalogs, tmp_path):
    write_image(tmp_path, 99, 8)
    table = read_tng_morphologies(catalogs)
    with pytest.raises(FileNotFoundError, match="1 images .*none of a galaxy in the table"):
        next(iter_tng_scenes(tmp_path, table))
    path = write_image(tmp_path, 95, 8)
    other = path.parent / "again" / path.name
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="broadband_8.fits is of the same subhalo"):
        next(iter_tng_scenes(tmp_path, table))


def test_real_catalogues_give_the_published_classes(shared_data):
    with pytest.warns(UserWarning, match="hold the same galaxies"):
        table = read_tng_morphologies(shared_data / "tng100_morphology")
    assert np.bincount(table["snapshot"])[[95, 99]].tolist() == [12470, 12535]
    assert np.bincount(table["label"] + 1).tolist() == [224, 14088, 8151, 2542]  # 14,312 spirals with the failed ones
    assert np.sum(table["quality_flag"] != 0) == 2974
    assert len(set(table["obj_id"])) == 25005
