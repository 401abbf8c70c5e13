"""Faults of frames, catalogues and stacks, and the error line or the flagged row for each.

FITS pixels carry no checksum unless their writer added one. Of a bit that flipped in the pixels of an uncompressed
frame only a value that is not finite, or brighter than any star, can be noticed; compressed frames and our shards are
checked as a whole.
"""

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.shards.stacks import read_shard, shard_path, write_shard
from photoz_morph.surveys import SDSS
from tests.support.broken_input import (
    SHARD_DAMAGE,
    Cases,
    Workplace,
    check_error,
    check_full_disk,
    check_success,
    cut_short,
    emptied,
    flipped,
    run_command,
)
from tests.support.frames import frame_header, write_frame
from tests.support.paths import DATA
from tests.support.samples import colour_stacks

FRAMES, GALAXIES = DATA / "frames", DATA / "galaxies.csv"
case = Cases()


@pytest.fixture
def place(data_dir, stacks_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Workplace(tmp_path, data_dir, stacks_dir)


# Frames


@case("missing band g", "frames (8 frames of other bands", "give frames of all bands u, g, r, i, z")
def missing_band(place):
    for path in place.frames().glob("frame-g-*"):
        path.unlink()
    return "stack", GALAXIES, "frames"


def damaged_frame(place, damage, plain):
    """Damage one of the frames, compressed or not; returns the command that stacks them."""
    path = place.frames() / "frame-i-004510-4-0030.fits.gz"
    if plain:
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    damage(path.with_suffix("") if plain else path)
    return "stack", GALAXIES, "frames"


def frame(name, damage, *expected, plain=False):
    """A case with one frame that is not what it should be."""
    expected = ("frame-i-004510-4-0030.fits", *expected)
    case.add(name, lambda place: damaged_frame(place, damage, plain), *expected)


def set_card(keyword, value, ext=0):
    return lambda path: fits.setval(path, keyword, value=value, ext=ext)


NO_WCS = ("no celestial WCS", "solve its astrometry")
frame("bit_flipped_in_the_unit", flipped(b"'nanomaggy", 1), "BUNIT is oanomaggy, sdss stacks are in", plain=True)
frame("bit_flipped_in_the_projection", flipped(b"RA---TAN", 5, bit=1), *NO_WCS, plain=True)
frame("frame_without_wcs", lambda path: [fits.delval(path, f"CTYPE{axis}") for axis in (1, 2)], "(CTYPE is None, None)",
      *NO_WCS, plain=True)  # fmt: skip
frame("frame_in_counts", set_card("BUNIT", "adu"), "BUNIT is adu", "give corrected frames", plain=True)
frame("frame_of_another_band", set_card("FILTER", "r"), "FILTER in its header is r", "rename", plain=True)
frame("frame_twice", lambda path: path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes())),
      "the same frame is also in", "keep one")  # fmt: skip


@case("nowhere: no such folder; give the folder with the frames, or their index")
def no_frames_folder(place):
    return "stack", GALAXIES, "nowhere"


case.command("swarp_of_that_name_not_installed", f"stack {GALAXIES} {FRAMES} --swarp swarp-2",
             "swarp-2 is not installed; install it with `apt-get install swarp`")  # fmt: skip
case.command("another_program_for_swarp", f"stack {GALAXIES} {FRAMES} --swarp true", "true is not SWarp", "give its")


# Catalogues


def catalog(name, *expected, suffix=".csv", damage=None, **columns):
    """A case with other columns of the catalogue, or a damaged file of it."""

    def make(place):
        path = place.catalog(suffix, **columns)
        if damage:
            damage(path)
        return "stack", path, FRAMES

    case.add(name, make, f"galaxies{suffix}: ", *expected)


NO_CATALOG = "cannot be read as a galaxy catalogue"
catalog("catalog_without_ra", "column ra is missing (columns found: obj_id, dec, z_spec); add it, or rename", ra=None)
catalog("duplicate_obj_id", "obj_id 7 occurs 2 times", "keep one row per galaxy", obj_id=[7, 7])
catalog("position_off_the_sky", "ra of obj_id 2 is 400.0", "must be in degrees, in [0, 360)", ra=[229.5, 400.0])
catalog("ra_of_360", "ra of obj_id 1 is 360.0", "[0, 360); add or subtract 360", ra=[360.0, 1.0])
catalog("ra_below_0", "ra of obj_id 2 is -0.5", "[0, 360); add or subtract 360", ra=[0.0, -0.5])
catalog("dec_beyond_the_pole", "dec of obj_id 1 is 90.001", "in [-90, 90]", dec=[90.001, 2.0])
catalog("nan_position", "dec of obj_id 2 is nan (1 such rows)", "must be in degrees", dec=[1.0, np.nan])
catalog("obj_id_as_float", "obj_id holds floats, which round", "write it as 64-bit integers", obj_id=[1.5, 2.0])
catalog("obj_id_as_text", "obj_id in row 1 is 'a1', which is no integer", obj_id=["a1", "a2"])
catalog("negative_reddening", "ebv of obj_id 2 is -0.1", "E(B-V) is not negative, leave it", ebv=[0.1, -0.1])
catalog("redshift_as_text", "z_spec in row 1 is 'low', which is no number", "decimal numbers", z_spec=["low", "high"])
catalog("two_columns_of_one_name", "columns ra and RA differ only in letter case; rename one", RA=[1.0, 2.0])
catalog("ra_in_hours", "ra has unit h; convert it to decimal degrees", suffix=".fits",
        damage=set_card("TUNIT2", "h", ext=1))  # fmt: skip
catalog("ra_in_a_unit_unknown", "ra has unit furlong; convert it to decimal degrees", suffix=".fits",
        damage=set_card("TUNIT2", "furlong", ext=1))  # fmt: skip
catalog("truncated_fits_catalog", NO_CATALOG, suffix=".fits", damage=lambda path: cut_short(path, 0.7))
catalog("truncated_parquet_catalog", NO_CATALOG, suffix=".parquet", damage=cut_short)
catalog("bit_flipped_in_a_catalog_header", NO_CATALOG, suffix=".fits",
        damage=flipped(b"XTENSION= 'BINTABLE'", 12))  # fmt: skip
catalog("image_for_a_catalog", NO_CATALOG, suffix=".fits",
        damage=lambda path: fits.writeto(path, np.zeros((4, 4)), overwrite=True))  # fmt: skip
for kind in (".csv", ".fits", ".parquet"):
    catalog(f"catalog_of_zero_size_{kind[1:]}", suffix=kind, damage=emptied)
catalog("catalog_without_rows", "the catalogue has no rows; give at least one galaxy",
        damage=lambda path: path.write_text("obj_id,ra,dec\n"))  # fmt: skip
catalog("binary_for_a_csv_catalog", NO_CATALOG, damage=lambda path: path.write_bytes(bytes(range(256))))
case.command("no_catalog", f"stack missing.fits {FRAMES}", "missing.fits: no such file; give a galaxy catalogue")


@case("galaxies.txt: unknown suffix", ".csv, .parquet")
def catalog_of_unknown_suffix(place):
    return "stack", place.catalog().rename("galaxies.txt"), FRAMES


@case("catalogue: column flag has the name of a column of the stacks; rename it")
def catalog_with_a_column_that_the_stacks_write(place):
    return "stack", place.catalog(flag=[0, 0]), FRAMES


# Stacks that are simulated, or to be built into a dataset

for name, (damage, *expected) in SHARD_DAMAGE.items():
    case.add(f"{name}_at_build", lambda place, damage=damage: ("build", place.shard(damage=damage).parent), *expected)


@case("galaxy 2 has 3 pixels in band i that are not finite")
def nan_stack_at_build_over_an_earlier_dataset(place):
    """The earlier dataset must stay."""
    check_success(("build", place.stacks, "--data-dir", "earlier"))
    damage, *_ = SHARD_DAMAGE["nan_stack"]
    return "build", place.shard(damage=damage).parent, "--data-dir", "earlier", "--overwrite"


@case("shards: obj_id 3 occurs twice; drop one of its rows")
def galaxy_in_two_shards(place):
    path = place.shard()
    images, table = colour_stacks(4, first_id=3)
    write_shard(shard_path(path.parent, 1), images, table, SDSS, "simulated")
    return "build", path.parent


@case("shards: 2 different galaxies fall in", "of 5 folds; give more galaxies")
def too_few_galaxies_for_the_folds(place):
    return "build", place.shard(n_galaxies=4).parent


@case("shards: none of 4 rows is usable", "'flagged': 4")
def only_flagged_stacks(place):
    images, table = colour_stacks(4)
    Path("shards").mkdir()
    table["flag"] = 1
    write_shard(shard_path("shards", 0), images * np.nan, table, SDSS, "stacked")
    return "build", "shards"


case.command("no_stacks", "build nowhere", "nowhere: no such file or folder; give a folder of shards stacks-*.fits")
case.command("dataset_is_there", "build {stacks} --data-dir {data}",
             "the dataset exists; use it, or replace it with --overwrite")  # fmt: skip
case.command("no_galaxies_asked_for", "simulate --n-galaxies 0", "0 is not in the range x>=1", "simulate --help")
case.command("negative_seed", "simulate --n-galaxies 1 --seed -1", "seed is -1; choose one from 0 to 900000000")
case.command("seed_that_is_no_number", "simulate --seed two", "'two' is not a valid integer", "simulate --help")
case.command("below_proc", "simulate --n-galaxies 1 --out /proc/stacks", "/proc/stacks: No such file", "check the path")
case.command("below_dev_null", "simulate --n-galaxies 1 --out /dev/null/x", "/dev/null/x: Not a directory; a")


def in_an_earlier_sample(name, arguments, *expected, damage=lambda path: None):
    """A case of `simulate` into the folder of a sample of two galaxies."""

    def make(place):
        check_success(("simulate", "--n-galaxies", 2))
        damage(place.folder / "stacks" / "stacks-00000.fits")
        return "simulate", *arguments.split()

    case.add(name, make, "stacks-00000.fits: ", *expected)


in_an_earlier_sample("simulation_with_another_seed_in_the_same_folder", "--n-galaxies 2 --seed 2",
                     "SEED is 1, this sample has 2", "remove the folder or write to another one")  # fmt: skip
in_an_earlier_sample("smaller_simulation_in_the_same_folder", "--n-galaxies 1",
                     "has 2 galaxies, 1 are requested; request as many, or")  # fmt: skip
in_an_earlier_sample("bit_flipped_in_the_recipe", "--n-galaxies 2", "RECIPE is", "this sample has",
                     damage=flipped(b"RECIPE  = 'K3", 11))  # fmt: skip
in_an_earlier_sample("simulated_shard_of_zero_size", "--n-galaxies 2", "cannot be read as FITS", "remove it",
                     damage=emptied)  # fmt: skip
for name, words in (
    ("simulate", "simulate --n-galaxies 1 --out"), ("stack", f"stack {GALAXIES} {FRAMES} --out"),
    ("build", "build {stacks} --data-dir"),
):  # fmt: skip
    case.add(
        f"{name}_to_an_unwritable_folder",
        lambda place, words=words: (*words.format(**vars(place)).split(), place.in_the_way()),
        "file/out", "Not a directory",
    )  # fmt: skip


@pytest.mark.parametrize("make, expected", case.rows)
def test_error_is_one_line_with_the_remedy_and_nothing_is_lost(place, make, expected):
    check_error(place, make(place), expected)


FULL_DISK = {
    "simulate": (64, "simulate --n-galaxies 3 --out disk", "disk/stacks-00000.fits"),
    "stack": (64, f"stack {GALAXIES} {FRAMES} --out disk", "disk/stacks-00000.fits"),
    "build": (2000, "build {stacks} --data-dir disk", "disk/sdss_ugriz"),
}


@pytest.mark.parametrize("free_kib, words, expected", FULL_DISK.values(), ids=FULL_DISK)
def test_full_disk_is_named_and_with_room_the_same_command_resumes(place, free_kib, words, expected):
    check_full_disk(place, free_kib, words.format(**vars(place)).split(), [expected])


# What is no error: a flagged row with its reason, or a right result


DAMAGED_FRAMES = {  # name -> damage, and whether the frame is not compressed
    "truncated": (cut_short, False),
    "truncated and plain": (cut_short, True),
    "of zero size": (emptied, False),
    "plain and of zero size": (emptied, True),
    "bit flipped in bitpix": (flipped(b"BITPIX"), True),
    "bit flipped to no ASCII": (flipped(b"BUNIT", 2, bit=7), True),
    **{f"bit flipped at byte {offset}": (flipped(offset=offset, bit=3), False) for offset in (20, 5_000, 20_000)},
}


@pytest.mark.parametrize("damage, plain", DAMAGED_FRAMES.values(), ids=DAMAGED_FRAMES)
def test_a_damaged_frame_flags_its_galaxy_only_and_is_listed_once(place, damage, plain):
    result, shown = run_command(damaged_frame(place, damage, plain))
    lines = result.stderr.splitlines() + shown
    assert result.exit_code == 0 and len(lines) == 1, lines
    assert lines[0].startswith("frames/frame-i-004510-4-0030.fits") and ": truncated or damaged frame (" in lines[0]
    remedy = "; download it again, or remove it, and run the same command again: 1 galaxies are flagged"
    assert lines[0].endswith(remedy)
    _, table, _ = read_shard("stacks/stacks-00000.fits")
    assert table["flag"].tolist() == [0, 1]
    assert table["flag_reason"][1].startswith("frame-i-004510-4-0030.fits")


def test_truncated_shard_of_a_simulation_is_made_again(place):
    check_success(("simulate", "--n-galaxies", 2))
    path = Path("stacks/stacks-00000.fits")
    whole = read_shard(path)[0]
    cut_short(path)
    check_success(("simulate", "--n-galaxies", 2))
    np.testing.assert_array_equal(read_shard(path)[0], whole)


def test_flagged_rows_are_left_out_of_the_dataset_and_counted(place):
    images, table = colour_stacks(40)
    table["flag"][[3, 30]], table["z_spec"][5] = 1, np.nan
    images[[3, 30]] = np.nan
    Path("shards").mkdir()
    write_shard(shard_path("shards", 0), images, table, SDSS, "stacked")
    printed = check_success(("build", "shards")).output
    assert "37 galaxies in" in printed and "2 flagged, 1 without z_spec" in printed
    assert sum(dataset.split_sizes(reading.open_dataset("photoz_data"))) == 37


def stacks_of(positions, frames="frames"):
    """Stacks and rows of galaxies at some positions, with descending identifiers."""
    ra, dec = np.array(positions, float).T
    Table({"obj_id": np.arange(len(ra), 0, -1), "ra": ra, "dec": dec}).write("galaxies.fits")
    result, _ = run_command(("stack", "galaxies.fits", frames))
    assert result.exit_code == 0, result.output
    images, table, _ = read_shard("stacks/stacks-00000.fits")
    assert table["obj_id"].tolist() == list(range(len(ra), 0, -1))
    flagged = table["flag"] != 0
    assert np.isnan(images[flagged]).all() and np.isfinite(images[~flagged]).all()
    assert all(table["flag_reason"][flagged])
    return images, table


@pytest.fixture
def frames_at(place):
    """Function that writes one frame of noise in each band around each of some positions."""
    Path("frames").mkdir()

    def write(*positions):
        rng = np.random.default_rng(1)
        for run, position in enumerate(positions, 1):
            for band in SDSS.bands:
                write_frame("frames", rng.normal(size=(150, 150)), frame_header(*position), band, run)

    return write


def test_galaxy_outside_every_frame_is_a_flagged_row(place):
    _, table = stacks_of([(229.52556, 42.74604), (10.0, 42.0)], FRAMES)
    assert table["flag"].tolist() == [0, 1]
    assert table["flag_reason"][1].startswith("no frame of band u covers it; no frame of band g covers it")


def test_galaxies_across_ra_0_are_stacked(frames_at):
    frames_at((0.0, 10.0))
    images, table = stacks_of([(359.9995, 10.0), (0.0, 10.0), (0.0005, 10.0)])
    assert table["flag"].tolist() == [0, 0, 0]
    # 1.8 arcsec are 4.5 pixels, so the same noise is in all three, 9 pixels (less 0.05) apart in the outer two.
    assert np.corrcoef(images[0, :, :-9, 2].ravel(), images[2, :, 9:, 2].ravel())[0, 1] > 0.9


def test_galaxies_at_the_poles_are_stacked_with_north_along_their_meridian(frames_at):
    frames_at((0.0, 90.0), (0.0, -90.0))
    images, table = stacks_of([(0.0, 90.0), (90.0, 90.0), (0.0, -90.0), (90.0, -90.0), (0.0, 89.9)])
    assert table["flag"].tolist() == [0, 0, 0, 0, 1]
    # Seen from ra 0 the meridian of 90 deg is on the left, east; seen from ra 90 it points down from the north pole and
    # up from the south pole. Rows are counted from below, so `rot90` turns the other way.
    np.testing.assert_allclose(images[1], np.rot90(images[0], -1), atol=1e-3)
    np.testing.assert_allclose(images[3], np.rot90(images[2], 1), atol=1e-3)


def test_targets_on_and_off_the_edge_of_a_frame_are_flagged_rows(frames_at):
    frames_at((30.0, 0.0))
    arcsec, half_frame = 1 / 3600, 75 * 0.396
    _, table = stacks_of([(30, (half_frame + distance) * arcsec) for distance in (0, -20, 20, -12, 12)])
    assert table["flag"].tolist() == [1, 0, 1, 1, 1]
    reasons = table["flag_reason"].tolist()
    assert "of 4096 pixels of band u have no data" in reasons[0] and "no frame of band u covers it" in reasons[2]


@pytest.mark.parametrize("damage", ["nan", "inf", "bit"])
def test_bad_pixel_of_a_plain_frame_flags_its_galaxy_only(frames_at, damage):
    frames_at((30.0, 0.0), (40.0, 5.0))
    path = Path("frames/frame-g-000001-3-0001.fits")
    if damage == "bit":  # the highest of the exponent: the pixel becomes infinite or absurd
        pixel = 75 * 150 + 75
        flipped(offset=len(fits.getheader(path).tostring()) + 4 * pixel, bit=6)(path)
    else:
        with fits.open(path, mode="update") as hdus:
            hdus[0].data[75, 75] = float(damage)
    _, table = stacks_of([(30, 0), (40, 5)])
    assert table["flag"].tolist() == [1, 0] and "band g" in table["flag_reason"][0]
