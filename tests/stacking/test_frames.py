"""Frames that cover a stamp, and files that are refused."""

import bz2
import gzip
import re
import shutil
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from photoz_morph.stacking.frames import index_frames, overlapping_frames, read_frame
from photoz_morph.surveys import SDSS
from tests.support.frames import R_ONLY, SIDE_ARCSEC, frame_header, write_frame
from tests.support.paths import DATA


@pytest.mark.parametrize("ra, dec", [(0.0, 12.0), (77.0, -45.0), (5.0, 89.98)])
def test_overlapping_frames_are_those_that_a_dense_grid_of_the_stamp_touches(tmp_path, ra, dec):
    rng = np.random.default_rng(4)
    for run in range(60):
        offset = rng.uniform(-110, 110, 2)
        header = frame_header(ra, dec, rng.uniform(0, 360), (60, 90), offset=offset)
        write_frame(tmp_path, np.zeros((60, 90)), header, run=run)
    index = index_frames(tmp_path, R_ONLY)
    steps = np.linspace(-0.5, 63.5, 321)
    columns, rows = np.meshgrid(steps, steps)
    sky = WCS(frame_header(ra, dec, shape=(64, 64))).all_pix2world(columns, rows, 0)
    expected = set()
    for frame in index:
        x, y = WCS(fits.getheader(frame["path"])).all_world2pix(*sky, 0)
        if np.any((x > -0.5) & (x < 89.5) & (y > -0.5) & (y < 59.5)):
            expected.add(frame["run"])
    assert set(overlapping_frames(index, ra, dec, SIDE_ARCSEC)["run"]) == expected
    assert 5 < len(expected) < 55


def test_frames_in_subfolders_are_found_and_other_files_counted(tmp_path):
    (tmp_path / "301" / "3918").mkdir(parents=True)
    for path in (DATA / "frames").iterdir():
        shutil.copy(path, tmp_path / "301" / "3918")
    for name in ("readme.txt", "frame-irg-003918-3-0213.jpg", "frame-y-003918-3-0213.fits"):
        (tmp_path / name).touch()
    index = index_frames(tmp_path, SDSS)
    assert len(index) == 10 and index.meta["n_ignored"] == 3


def test_header_of_a_frame_compressed_by_bzip2_reads_the_same(tmp_path):
    header = frame_header(30.0, 10.0)
    path = write_frame(tmp_path, np.random.default_rng(1).normal(size=(150, 150)), header)
    plain = index_frames(tmp_path, R_ONLY)
    image = read_frame(path)
    Path(f"{path}.bz2").write_bytes(bz2.compress(path.read_bytes()))
    path.unlink()
    compressed = index_frames(tmp_path, R_ONLY)
    np.testing.assert_array_equal(compressed["center"], plain["center"])
    np.testing.assert_array_equal(read_frame(compressed["path"][0]), image)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"BUNIT": "DN"}, "BUNIT is DN, sdss stacks are in nanomaggy"),
        ({"BUNIT": "maggy"}, "BUNIT is maggy, sdss stacks are in nanomaggy"),
        ({"BUNIT": None}, "BUNIT is missing"),
        ({"FILTER": "i"}, "FILTER in its header is i, its name says r"),
        ({"CTYPE1": "LINEAR"}, "no celestial WCS"),
        ({"CTYPE1": None, "CTYPE2": None}, "no celestial WCS"),
    ],
)
def test_frame_with_a_wrong_header_is_named(tmp_path, change, message):
    path = write_frame(tmp_path, np.zeros((150, 150)), frame_header(30.0, 10.0))
    with fits.open(path, mode="update") as hdus:
        for key, value in change.items():
            if value is None:
                del hdus[0].header[key]
            else:
                hdus[0].header[key] = value
    with pytest.raises(ValueError, match=f"frame-r-000001-3-0001.fits: {message}") as e:
        index_frames(tmp_path, R_ONLY)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "unit", ["nanomaggies", "nMgy", "nmgy", "NANOMAGGY", "nanomaggies per pixel", "nanomaggy / pixel", "nMgy/pix"]
)
def test_every_spelling_of_the_unit_is_accepted(tmp_path, unit):
    write_frame(tmp_path, np.zeros((150, 150)), fits.Header({**frame_header(30.0, 10.0), "BUNIT": unit}))
    assert len(index_frames(tmp_path, R_ONLY)) == 1


@pytest.mark.parametrize("compression", ["", ".gz", ".bz2"])
@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.5, 0.97])
def test_truncated_frame_is_damaged_in_the_index_or_refused_if_nothing_says_where_it_lies(
    tmp_path, compression, fraction
):
    path = write_frame(tmp_path, np.random.default_rng(1).normal(size=(150, 150)), frame_header(30.0, 10.0))
    content = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}[compression](path.read_bytes())
    path.unlink()
    Path(f"{path}{compression}").write_bytes(content[: int(fraction * len(content))])
    damage = r"frame-r-.*: truncated or damaged frame \(.*\); download it again"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            index = index_frames(tmp_path, R_ONLY)
    except ValueError as error:
        assert re.search(damage, str(error)) and "\n" not in str(error)
        # A block of bzip2 has 900 kB, more than this file.
        assert compression == ".bz2" or fraction < 0.1
    else:
        assert fraction > 0 and re.search(damage, index["damage"][0])
    if fraction > 0.1 and compression != ".bz2":
        assert index["damage"][0]


@pytest.mark.parametrize("content", [b"", b"not a frame"])
def test_a_frame_without_a_readable_header_lies_where_its_field_lies_in_another_band(tmp_path, content):
    for path in (DATA / "frames").iterdir():
        shutil.copy(path, tmp_path)
    place = index_frames(tmp_path, SDSS)
    (tmp_path / "frame-r-004510-4-0030.fits.gz").write_bytes(content)
    index = index_frames(tmp_path, SDSS)
    assert [bool(frame["damage"]) for frame in index] == [
        Path(frame["path"]).name == "frame-r-004510-4-0030.fits.gz" for frame in index
    ]
    np.testing.assert_allclose(np.stack(index["center"]), np.stack(place["center"]), atol=1e-4)  # 20 arcsec


@pytest.mark.parametrize("compression", ["", ".gz"])
def test_a_frame_that_declares_more_than_it_holds_is_damaged_in_the_index_without_the_memory(tmp_path, compression):
    path = write_frame(tmp_path, np.zeros((15, 15)), frame_header(30.0, 10.0))
    content = path.read_bytes()
    for axis in ("NAXIS1", "NAXIS2"):
        start = content.index(axis.encode())
        content = content[: start + 10] + f"{10**6:>20}".encode() + content[start + 30 :]
    path.unlink()
    Path(f"{path}{compression}").write_bytes(gzip.compress(content) if compression else content)
    tracemalloc.start()
    index = index_frames(tmp_path, R_ONLY)
    assert re.search(r"frame-r-.*: truncated or damaged frame \(its pixels are cut short\)", index["damage"][0])
    assert tracemalloc.get_traced_memory()[1] < 30e6
    tracemalloc.stop()


def test_frame_damaged_inside_is_refused_when_read(tmp_path):
    path = DATA / "frames" / "frame-u-003918-3-0213.fits.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / path.name).write_bytes(content)
    with pytest.raises(ValueError, match="truncated or damaged frame"):
        read_frame(str(tmp_path / path.name))


def test_missing_band_is_named(tmp_path):
    for path in (DATA / "frames").glob("frame-[griz]-*"):
        shutil.copy(path, tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"missing band u: no frame-u-\*.fits in .* \(8 frames of other bands"
    ):
        index_frames(tmp_path, SDSS)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        index_frames(tmp_path / "nowhere", SDSS)


def test_same_frame_twice_would_count_twice_and_is_refused(tmp_path):
    header = frame_header(30.0, 10.0)
    path = write_frame(tmp_path, np.zeros((150, 150)), header)
    Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(ValueError, match="the same frame is also in"):
        index_frames(tmp_path, R_ONLY)
