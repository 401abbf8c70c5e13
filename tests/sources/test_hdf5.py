from dataclasses import replace

import h5py
import numpy as np
import pytest

from photoz_morph.sources import source as source_module
from photoz_morph.sources.formats import open_source
from photoz_morph.surveys import SDSS
from tests.support.samples import colour_stacks

HSC = replace(SDSS, name="hsc", bands=("g", "r", "i", "z", "y"), pixel_scale=0.168, zero_point=27.0, image_unit="adu")
pytestmark = pytest.mark.filterwarnings("ignore:.*(is taken for|galaxies are numbered)")


def write(path, images, columns, **attributes):
    with h5py.File(path, "w") as file:
        file["image"] = images
        for name, values in columns.items():
            file[name] = values
        file.attrs.update(attributes)
    return path


@pytest.fixture
def small_partitions(monkeypatch):
    monkeypatch.setattr(source_module, "PARTITION_ROWS", 4)


def galaxiesml(images, table):
    """Columns as GalaxiesML names them."""
    mags = np.asarray(table["mags"])
    return {
        "object_id": np.asarray(table["obj_id"]) + 36411448540267840, "specz_redshift": np.asarray(table["z_spec"]),
        "coordinates": np.column_stack([table["ra"], table["dec"]]),
        "specz_name": np.array(["sdss"] * len(table), "S8"),
        **{f"{band}_cmodel_mag": mags[:, number] for number, band in enumerate(HSC.bands)},
    }  # fmt: skip


def test_galaxiesml_comes_back_channels_last_with_its_columns(tmp_path, small_partitions):
    images, table = colour_stacks(6)
    path = write(tmp_path / "galaxiesml.hdf5", np.moveaxis(images, -1, 1), galaxiesml(images, table))
    source = open_source(path, HSC)
    parts = [partition.read() for partition in source.partitions]
    assert [len(part) for part, _ in parts] == [4, 2] and source.origin == "stacked"
    assert np.array_equal(np.concatenate([part for part, _ in parts]), images)
    first = parts[0][1]
    assert list(first["obj_id"]) == list(36411448540267840 + np.asarray(table["obj_id"])[:4])
    for name in ("ra", "dec", "z_spec"):
        assert np.array_equal(first[name], table[name][:4])
    assert list(first["specz_name"]) == ["sdss"] * 4
    assert np.array_equal(first["mags"], table["mags"][:4])
    assert np.array_equal(first["g_cmodel_mag"], table["mags"][:4, 0])
    # GalaxiesML has no E(B-V): that of the map at the position is used, and recorded.
    assert (first["ebv"] > 0).all() and set(first["ebv_source"]) == {"SFD98 at 0.9 deg"}
    few, _ = source.partitions[0].read(np.array([3, 1]))
    assert np.array_equal(few, images[[3, 1]])


def test_hayat_like_stamps_are_cut_at_the_centre(tmp_path):
    images, table = colour_stacks(3)
    large = np.zeros((3, 5, 107, 107), np.float32)
    large[:, :, 21:85, 21:85] = np.moveaxis(images, -1, 1)
    columns = {"e_bv": table["ebv"], "specz_redshift": table["z_spec"], "ra": table["ra"], "dec": table["dec"]}
    read, read_table = open_source(write(tmp_path / "a.h5", large, columns), "sdss").partitions[0].read()
    assert np.array_equal(read, images) and np.array_equal(read_table["ebv"], table["ebv"])
    assert list(read_table["obj_id"]) == [0, 1, 2]


def test_bands_are_picked_by_name_and_units_converted(tmp_path):
    images, table = colour_stacks(3)
    griz = replace(SDSS, name="griz", bands=("z", "g"))
    bands = ["SDSS_u", "SDSS_g", "r", "i", "z"]
    path = write(tmp_path / "a.hdf5", np.moveaxis(images, -1, 1), {}, bands=bands, unit="nJy")
    read, _ = open_source(path, griz).partitions[0].read()
    # One nanomaggy is 3.631e-6 Jy.
    np.testing.assert_allclose(read, images[..., [4, 1]] / 3631, rtol=2e-4)
    path = write(tmp_path / "b.hdf5", images, {}, zero_point=25.0, pixel_scale=0.396, origin="simulated")
    source = open_source(path, SDSS)
    np.testing.assert_allclose(source.partitions[0].read()[0], images / 10, rtol=1e-6)
    assert source.origin == "simulated"


def test_chunked_and_compressed_images_and_nested_columns_are_read(tmp_path):
    images, table = colour_stacks(5)
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("data/images", data=images, chunks=(2, 64, 64, 5), compression="gzip")
        rows = [(1, 0.1), (5, 0.2), (7, 0.3), (9, 0.4), (11, 0.5)]
        file["catalog/table"] = np.array(rows, [("id2", int), ("z", float)])
        file["catalog/obj_id"] = ["10", "11", "x", "13", "14"]
    read, read_table = open_source(tmp_path / "a.hdf5", "sdss").partitions[0].read(np.array([0, 2, 4]))
    assert np.array_equal(read, images[[0, 2, 4]]) and list(read_table["z_spec"]) == [0.1, 0.3, 0.5]
    assert read_table["obj_id"][0] == 10 and read_table["obj_id"][1] > 2**32  # a hash of "x"
    assert list(read_table["obj_id_text"]) == ["10", "x", "14"] and list(read_table["id2"]) == [1, 7, 11]


def test_a_bad_image_is_flagged(tmp_path):
    images, table = colour_stacks(3)
    images[1, 4, 4, 0] = np.nan
    read, read_table = open_source(write(tmp_path / "a.hdf5", images, {}), "sdss").partitions[0].read()
    assert list(read_table["flag"]) == [0, 1, 0] and np.isnan(read[1]).all()
    assert read_table["flag_reason"][1] == "1 pixels in band u are not finite"


@pytest.mark.parametrize(
    "shape, attributes, message",
    [
        ((3, 5, 40, 40), {}, "40 x 40 pixels, sdss needs 64 x 64"),
        ((3, 4, 64, 64), {}, r"cubes of shape \(4, 64, 64\)"),
        ((3, 64, 64), {}, "no datasets of images"),
        ((0, 5, 64, 64), {}, "no datasets of images|n > 0"),
        ((3, 5, 64, 64), {"bands": ["g", "r", "i", "z", "y"]}, "sdss needs u too"),
        ((3, 5, 64, 64), {"pixel_scale": 0.2}, "pixels of 0.2 arcsec, sdss has 0.396"),
        ((3, 5, 64, 64), {"unit": "counts"}, "'counts' cannot be converted"),
        ((3, 5, 64, 64), {"origin": "dreamt"}, "origin is 'dreamt'"),
    ],
)
def test_images_that_do_not_fit_are_refused_in_one_line(tmp_path, shape, attributes, message):
    path = write(tmp_path / "a.hdf5", np.zeros(shape, np.float32), {}, **attributes)
    with pytest.raises(ValueError, match=message) as caught:
        open_source(path, "sdss")
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_file_without_survey_or_that_is_none_is_refused(tmp_path):
    path = write(tmp_path / "a.hdf5", np.zeros((2, 5, 64, 64), np.float32), {})
    with pytest.raises(ValueError, match="give --survey"):
        open_source(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match="cannot be read as HDF5"):
        open_source(path, "sdss")
    with pytest.raises(FileNotFoundError, match="no such file"):
        open_source(tmp_path / "b.hdf5", "sdss")
