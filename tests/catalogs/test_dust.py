"""Reddening of the shipped map against published values and the SDSS catalogue; maps of the user against a formula.

The user's maps here are small ones of the same projection, whose values are linear in their pixels: interpolation is
exact, and the value at a position follows from the projection of Schlegel, Finkbeiner & Davis (1998), Appendix C.
"""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from photoz_morph.catalogs import dust
from photoz_morph.catalogs.dust import EBV_SOURCE, MAP_FILES, fill_ebv, open_dust, settled_dust, sfd_ebv
from photoz_morph.cli.options import checked_dust
from tests.support.paths import SHARED_DATA

GST10K = SHARED_DATA / "sdss_gst10k" / "gst10k.npz"


@pytest.mark.skipif(not GST10K.is_file(), reason=f"no catalogue of 10,000 SDSS galaxies at {GST10K}")
def test_map_agrees_with_the_extinction_in_the_sdss_catalogue():
    galaxies = np.load(GST10K)
    ebv = sfd_ebv(galaxies["ra"], galaxies["dec"])
    sdss = galaxies["extinction"][:, 2] / 2.751  # A_r / E(B-V) of Schlegel et al. (1998)
    assert np.corrcoef(ebv, sdss)[0, 1] > 0.95
    assert np.median(ebv / sdss) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "place, ra, dec, expected",
    [
        # Full-resolution SFD98 values of the cosmological deep fields, which lie where dust is smooth.
        ("Hubble Deep Field North", 189.21, 62.22, 0.012),
        ("Chandra Deep Field South", 53.12, -27.80, 0.008),
        ("COSMOS", 150.12, 2.21, 0.018),
        ("Lockman Hole", 161.25, 58.00, 0.008),
    ],
)
def test_deep_fields_have_their_published_reddening(place, ra, dec, expected):
    assert sfd_ebv(ra, dec) == pytest.approx(expected, abs=0.004), place


def test_galactic_plane_is_dusty_and_the_poles_are_not():
    centre, north_pole, south_pole = sfd_ebv([266.405, 192.859, 12.859], [-28.936, 27.128, -27.128])
    assert centre > 10 and north_pole < 0.03 and south_pole < 0.03


def test_reddening_is_continuous_across_ra_zero():
    below, above = sfd_ebv([359.9999, 0.0001], [-0.5, -0.5])
    assert below == pytest.approx(above, rel=1e-3)


def test_position_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="needs finite positions"):
        sfd_ebv([10.0, np.nan], [0.0, 0.0])


SIZE, SCALE = 64, 32.0  # pixels; of a radius of 1 [pixel], LAM_SCAL
PLANE = {1: (0.5, 0.003, -0.002), -1: (0.3, -0.001, 0.004)}  # value at the first pixel, and steps in x and y


def write_map(folder):
    """Files of both hemispheres."""
    folder.mkdir(exist_ok=True)
    y, x = np.mgrid[:SIZE, :SIZE]
    for name, (sign, (first, step_x, step_y)) in zip(MAP_FILES, PLANE.items()):
        hdu = fits.PrimaryHDU((first + step_x * x + step_y * y).astype(np.float32))
        degrees = np.degrees(np.sqrt(2)) / SCALE  # of a pixel at the pole
        hdu.header.update(
            CTYPE1="GLON-ZEA", CTYPE2="GLAT-ZEA", CRVAL1=90.0, CRVAL2=90.0 * sign, LONPOLE=180.0,
            CRPIX1=(SIZE + 1) / 2, CRPIX2=(SIZE + 1) / 2, CD1_1=-degrees, CD1_2=0.0, CD2_1=0.0, CD2_2=degrees,
            LAM_NSGP=sign, LAM_SCAL=SCALE,
        )  # fmt: skip
        hdu.writeto(folder / name)
    return folder


def known_ebv(ra, dec):
    """The value of `write_map` at a position, from the equations of the projection."""
    galactic = SkyCoord(ra, dec, unit="deg").galactic
    sign = np.where(galactic.b.deg >= 0, 1, -1)
    radius = SCALE * np.sqrt(1 - sign * np.sin(galactic.b.rad))
    x = (SIZE - 1) / 2 + radius * np.cos(galactic.l.rad)
    y = (SIZE - 1) / 2 - sign * radius * np.sin(galactic.l.rad)
    first, step_x, step_y = np.moveaxis(np.array([PLANE[1], PLANE[-1]])[(1 - sign) // 2], -1, 0)
    return first + step_x * x + step_y * y


@pytest.fixture
def positions():
    """RA and Dec of galaxies all over the sky, but for the rim of both maps."""
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 500), np.degrees(np.arcsin(rng.uniform(-1, 1, 500)))
    far = np.abs(SkyCoord(ra, dec, unit="deg").galactic.b.deg) > 5
    return ra[far], dec[far]


@pytest.fixture(autouse=True)
def no_maps_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(dust, "_dustmaps_folder", lambda: str(tmp_path / "dustmaps" / "sfd"))
    monkeypatch.delenv("SFD_DIR", raising=False)


@pytest.mark.parametrize("kind, package", [("sfdmap", "sfdmap2"), ("dustmaps", "dustmaps")])
def test_a_map_of_the_user_gives_its_own_values_on_the_scale_of_1998(kind, package, positions, tmp_path):
    pytest.importorskip(package)
    ebv, source = open_dust(f"{kind}:{write_map(tmp_path / 'maps')}")
    assert source == f"SFD98 by {package}"
    assert ebv(*positions) == pytest.approx(known_ebv(*positions), abs=1e-5)  # float32 maps
    assert ebv(10.0, 50.0) == pytest.approx(known_ebv(10.0, 50.0), abs=1e-5)
    with pytest.raises(ValueError, match="needs finite positions"):
        ebv([1.0, np.inf], [0.0, 0.0])


def test_the_data_folder_of_dustmaps_holds_a_folder_for_each_map(positions, tmp_path):
    pytest.importorskip("dustmaps")
    (tmp_path / "data").mkdir()
    write_map(tmp_path / "data" / "sfd")
    assert open_dust(f"dustmaps:{tmp_path / 'data'}")[0](*positions) == pytest.approx(known_ebv(*positions), abs=1e-5)


def test_auto_takes_the_map_of_the_user_where_it_is_and_says_which(positions, tmp_path, monkeypatch):
    assert open_dust("auto") == (sfd_ebv, EBV_SOURCE) == open_dust("shipped")
    monkeypatch.setenv("SFD_DIR", str(write_map(tmp_path / "maps")))
    assert open_dust("auto")[1] == "SFD98 by sfdmap2"
    (tmp_path / "dustmaps").mkdir()
    write_map(tmp_path / "dustmaps" / "sfd")
    assert open_dust("auto")[1] == open_dust("dustmaps")[1] == "SFD98 by dustmaps"
    assert open_dust("shipped") == (sfd_ebv, EBV_SOURCE)
    (tmp_path / "dustmaps" / "sfd" / MAP_FILES[1]).unlink()  # half a map is none
    assert open_dust("auto")[1] == "SFD98 by sfdmap2"


def test_a_settled_choice_is_the_same_map_in_any_folder_and_environment(positions, tmp_path, monkeypatch):
    pytest.importorskip("sfdmap2")
    monkeypatch.chdir(tmp_path)
    assert settled_dust("auto") == "shipped" == checked_dust("auto")
    write_map(tmp_path / "maps")
    monkeypatch.setenv("SFD_DIR", "maps")
    chosen = checked_dust("auto")
    assert chosen == checked_dust("sfdmap:maps") == f"sfdmap:{tmp_path / 'maps'}"
    monkeypatch.chdir("/")
    monkeypatch.delenv("SFD_DIR")
    assert open_dust(chosen)[0](*positions) == pytest.approx(known_ebv(*positions), abs=1e-5)


def test_a_missing_file_is_named_with_the_place_to_get_it(tmp_path):
    (write_map(tmp_path / "maps") / MAP_FILES[1]).unlink()
    with pytest.raises(FileNotFoundError, match=f"{MAP_FILES[1]}: no such file; get both from doi:10.7910/DVN/EWCNL5"):
        open_dust(f"sfdmap:{tmp_path / 'maps'}")
    with pytest.raises(FileNotFoundError, match=f"dustmaps/sfd/{MAP_FILES[0]}: no such file; get both"):
        open_dust("dustmaps")


@pytest.mark.parametrize("content", [b"", b"SIMPLE", b"x" * 5000])
@pytest.mark.parametrize("kind", ["sfdmap", "dustmaps"])
def test_a_file_that_is_no_map_is_refused(content, kind, tmp_path):
    (write_map(tmp_path / "maps") / MAP_FILES[0]).write_bytes(content)
    with pytest.raises(ValueError, match=f"{MAP_FILES[0]}: not a dust map, or damaged .*; get both from"):
        open_dust(f"{kind}:{tmp_path / 'maps'}")


@pytest.mark.parametrize("word", ["sfd", "sfdmap", "sfdmap:", "shipped:here", "auto:here", ""])
def test_an_unknown_choice_lists_those_there_are(word):
    with pytest.raises(ValueError, match="give auto, shipped, sfdmap:DIR, dustmaps or dustmaps:DIR"):
        open_dust(word)


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(dust, "_has_package", lambda kind: False)
    with pytest.raises(ValueError, match=r"needs the package sfdmap2; `pip install photoz-morph\[dust\]`"):
        open_dust("sfdmap:maps")
    assert open_dust("auto")[1] == EBV_SOURCE


def test_only_missing_values_are_filled_and_each_says_where_it_is_from():
    table = Table({"ra": [150.0, 10.0], "dec": [2.0, 30.0], "ebv": [0.5, np.nan]})
    assert fill_ebv(table, "shipped") == EBV_SOURCE
    assert list(table["ebv_source"]) == ["catalogue", EBV_SOURCE]
    assert list(table["ebv"]) == [0.5, sfd_ebv(10.0, 30.0)]
    assert fill_ebv(table, "sfdmap:nowhere") == ""  # nothing is missing, no map is read
