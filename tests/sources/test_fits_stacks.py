from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from photoz_morph.sources import source as source_module
from photoz_morph.sources.fits_stacks import read_stack
from photoz_morph.sources.formats import open_source
from photoz_morph.surveys import SDSS
from tests.support.samples import colour_stacks

LEGACY = replace(SDSS, name="legacy", bands=("g", "r", "z"), pixel_scale=0.262, stamp_size=32)


def write_cube(path, image, **cards):
    """A cut-out service's file: cube (band, y, x)."""
    fits.PrimaryHDU(np.moveaxis(image, -1, 0), fits.Header(cards)).writeto(path, checksum=True)


def write_folder(folder, n=6, files=True):
    images, table = colour_stacks(n)
    for image, obj_id in zip(images, table["obj_id"]):
        write_cube(folder / f"galaxy{obj_id}.fits", image, BUNIT="nanomaggy", BANDS="u,g,r,i,z")
    catalog = Table(table["obj_id", "ra", "dec", "z_spec", "ebv"], copy=True)
    catalog["file"] = [f"galaxy{obj_id}.fits" for obj_id in table["obj_id"]]
    catalog.write(folder / "catalog.csv")
    return images, catalog


def test_a_folder_comes_back_in_the_order_of_its_catalogue(tmp_path, monkeypatch):
    monkeypatch.setattr(source_module, "PARTITION_ROWS", 4)
    images, catalog = write_folder(tmp_path)
    source = open_source(tmp_path, "sdss")
    parts = [partition.read() for partition in source.partitions]
    assert [(part.name, part.n_rows) for part in source.partitions] == [("rows-00000", 4), ("rows-00001", 2)]
    assert np.array_equal(np.concatenate([part for part, _ in parts]), images)
    for name in ("obj_id", "ra", "z_spec", "ebv", "file"):
        assert list(np.concatenate([part[name] for _, part in parts])) == list(catalog[name])
    few, table = source.partitions[1].read(np.array([1]))
    assert np.array_equal(few, images[[5]]) and list(table["obj_id"]) == [5]


def test_files_that_cannot_be_used_are_flagged_with_the_reason(tmp_path):
    images, _ = write_folder(tmp_path)
    before = open_source(tmp_path, "sdss").fingerprint
    (tmp_path / "galaxy0.fits").unlink()
    (tmp_path / "galaxy1.fits").write_bytes((tmp_path / "galaxy1.fits").read_bytes()[:40_000])
    write_cube(tmp_path / "galaxy2.fits.new", images[2, :40, :40], BUNIT="nanomaggy")
    (tmp_path / "galaxy2.fits.new").rename(tmp_path / "galaxy2.fits")
    with fits.open(tmp_path / "galaxy4.fits", "update") as hdus:
        hdus[0].data[3, 5, 5] = np.nan
    source = open_source(tmp_path, "sdss")
    read, table = source.partitions[0].read()
    assert list(table["flag"]) == [1, 1, 1, 0, 1, 0] and np.isnan(read[[0, 1, 2, 4]]).all()
    assert np.array_equal(read[[3, 5]], images[[3, 5]]) and list(table["obj_id"]) == list(range(6))
    for reason, said in zip(table["flag_reason"], ("no such file", "truncated", "40 x 40 pixels", "", "band i", "")):
        assert said in reason
    assert source.fingerprint != before


def test_planes_are_found_by_name_and_cut_and_scaled(tmp_path):
    image = colour_stacks(1)[0][0][..., :4]  # planes g, r, i, z
    for number, cards in enumerate([{"BANDS": "griz"}, {f"BAND{plane}": band for plane, band in enumerate("griz")}]):
        path = tmp_path / f"{number}.fits"
        write_cube(path, image, CRVAL1=1.0, CD1_1=-0.262 / 3600, CD2_2=0.262 / 3600, MAGZERO=25.0, **cards)
        np.testing.assert_allclose(read_stack(path, LEGACY), image[16:48, 16:48][..., [0, 1, 3]] / 10, rtol=1e-6)


def test_one_hdu_a_band_in_any_order(tmp_path):
    image = colour_stacks(1)[0][0]
    hdus = [fits.ImageHDU(image[..., SDSS.bands.index(band)], name=f"SDSS-{band}") for band in "zurig"]
    for hdu, zero_point in zip(hdus, (22.5, 22.5, 25.0, 22.5, 22.5)):
        hdu.header["MAGZERO"] = zero_point
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "a.fits")
    np.testing.assert_allclose(read_stack(tmp_path / "a.fits", SDSS), image * [1, 1, 0.1, 1, 1], rtol=1e-6)


@pytest.mark.parametrize(
    "cards, message",
    [
        ({"BANDS": "u,g,r,i,y"}, "sdss needs z too"),
        ({"BUNIT": "counts"}, "'counts' cannot be converted"),
        ({"PIXSCALE": 0.2}, "pixels of 0.2 arcsec, sdss has 0.396"),
        ({"CRVAL1": 1.0, "CDELT1": -0.262 / 3600}, "pixels of 0.262 arcsec"),
        ({"MAGZERO": "unknown"}, "zero point unknown cannot be converted"),
    ],
)
def test_a_folder_whose_first_files_do_not_fit_is_refused(tmp_path, cards, message):
    write_cube(tmp_path / "0.fits", colour_stacks(1)[0][0], **cards)
    (tmp_path / "catalog.csv").write_text("obj_id\n0\n")
    with pytest.raises(ValueError, match=message) as caught:
        open_source(tmp_path, "sdss")
    assert str(caught.value).startswith(str(tmp_path / "0.fits")) and "\n" not in str(caught.value)


def test_a_catalogue_without_rows_or_files_is_refused(tmp_path):
    (tmp_path / "catalog.csv").write_text("obj_id,ra\n")
    with pytest.raises(ValueError, match="has no rows"):
        open_source(tmp_path, "sdss")
    (tmp_path / "catalog.csv").write_text("obj_id,ra\n1,2\n")
    with pytest.raises(FileNotFoundError, match="1.fits: no such file"):
        open_source(tmp_path, "sdss")
