"""Frames that cover a stamp, files that are refused, and the index as a file."""

import bz2
import gzip
import os
import re
import shutil
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.cli.photoz import main
from photoz_morph.stacking import frame_index
from photoz_morph.stacking.astrometry import from_tangent_plane, to_pixels, unit_vector
from photoz_morph.stacking.frame_index import (
    FrameIndex,
    index_frames,
    open_frames,
    overlapping_frames,
    read_frame_index,
)
from photoz_morph.surveys import SDSS
from tests.support.frames import R_ONLY, SIDE_ARCSEC, frame_header, synthetic_index, write_frame
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
            expected.add(frame["identity"])
    assert set(overlapping_frames(index, ra, dec, SIDE_ARCSEC)["identity"]) == expected
    assert 5 < len(expected) < 55


def test_frames_in_subfolders_are_found_and_other_files_counted(tmp_path):
    (tmp_path / "301" / "3918").mkdir(parents=True)
    for path in (DATA / "frames").iterdir():
        shutil.copy(path, tmp_path / "301" / "3918")
    for name in ("readme.txt", "frame-irg-003918-3-0213.jpg", "frame-y-003918-3-0213.fits"):
        (tmp_path / name).touch()
    index = index_frames(tmp_path, SDSS)
    assert len(index) == 10 and index.meta["n_ignored"] == 3


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


def test_missing_band_is_named(tmp_path):
    for path in (DATA / "frames").glob("frame-[griz]-*"):
        shutil.copy(path, tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"missing band u: no frame of it in .* \(8 frames of other bands"
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


def overlaps_one_by_one(index, ra, dec, size_arcsec):
    """Rows of the frames that overlap a square, each frame looked at alone."""
    half = size_arcsec / 7200
    xi, eta = half * np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]])
    corner_ra, corner_dec = from_tangent_plane(xi, eta, ra, dec)
    rows = []
    for row, frame in enumerate(index):
        if frame["center"] @ unit_vector(ra, dec) < np.cos(np.radians(frame["radius"] + half * np.sqrt(2))):
            continue
        square = np.stack(to_pixels(frame, corner_ra, corner_dec), axis=-1)
        height, width = frame["shape"]
        image = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
        is_apart = False
        for side in ([1.0, 0.0], [0.0, 1.0], square[1] - square[0], square[2] - square[1]):
            a, b = (figure @ np.array([-side[1], side[0]]) for figure in (square, image))
            is_apart |= a.max() <= b.min() or a.min() >= b.max()
        if not is_apart:
            rows.append(row)
    return rows


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    ra=st.sampled_from([0.0, 1e-5, 123.4, 359.99999]),
    dec=st.sampled_from([-90.0, -89.9999, -45.0, 0.0, 60.0, 89.999, 90.0]),
    seed=st.integers(0, 10**6),
    side=st.sampled_from([3.0, 25.344, 400.0]),
)
def test_the_tree_finds_the_frames_that_looking_at_each_finds(ra, dec, seed, side):
    rng = np.random.default_rng(seed)
    index = synthetic_index(rng, ra, dec, 80, 0.3)
    offsets = rng.uniform(-0.15, 0.15, (2, 5))
    target_ra, target_dec = from_tangent_plane(*offsets, ra, dec)
    starts, rows = index.overlaps(target_ra, target_dec, side)
    for i in range(5):
        expected = overlaps_one_by_one(index, target_ra[i], target_dec[i], side)
        assert rows[starts[i] : starts[i + 1]].tolist() == expected


def test_a_distorted_frame_is_found_where_astropy_has_its_pixels(tmp_path):
    sip = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "B_ORDER": 2, "A_2_0": 3e-4}
    header = fits.Header({**frame_header(30.0, 10.0), **sip})
    write_frame(tmp_path, np.ones((150, 150)), header)
    index_frames(tmp_path, R_ONLY).write(tmp_path / "frames.parquet")
    index = read_frame_index(tmp_path / "frames.parquet", R_ONLY)
    # A square of 1 arcsec on either side of the left edge, in the middle row.
    inside, outside = WCS(header).pixel_to_world([1.5, -2.2], [75.0, 75.0])
    assert [len(overlapping_frames(index, sky.ra.deg, sky.dec.deg, 1.0)) for sky in (inside, outside)] == [1, 0]
    plain = WCS(frame_header(30.0, 10.0)).world_to_pixel(outside)
    assert plain[0] > -0.5  # a linear WCS would have found both


def test_an_index_comes_back_from_its_file_with_the_paths_of_the_frames(tmp_path, monkeypatch):
    (tmp_path / "survey" / "frames").mkdir(parents=True)
    for path in (DATA / "frames").iterdir():
        shutil.copy(path, tmp_path / "survey" / "frames")
    index = index_frames(tmp_path / "survey" / "frames", SDSS)
    index.write(tmp_path / "survey" / "frames.parquet")
    (tmp_path / "survey").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    again = open_frames(Path("moved", "frames.parquet"), SDSS)
    for one, other in zip(index, again, strict=True):
        assert Path(other["path"]).is_file() and Path(other["path"]).name == Path(one["path"]).name
        for name in ("band", "identity", "shape", "damage", "factor", "hdu", "plane", "size", "mtime"):
            assert one[name] == other[name]
        for name in ("crval", "crpix", "cd", "center", "radius"):
            np.testing.assert_array_equal(one[name], other[name])


def test_two_processes_index_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(frame_index, "CHUNK", 3)
    one, two = (index_frames(DATA / "frames", SDSS, n_processes=n) for n in (1, 2))
    assert one["path"].tolist() == two["path"].tolist()
    np.testing.assert_array_equal(one["cd"], two["cd"])


def test_only_new_and_changed_frames_are_read_again_and_frames_that_are_gone_are_left_out(tmp_path, capsys):
    for path in (DATA / "frames").iterdir():
        shutil.copy(path, tmp_path)
    out = tmp_path / "frames.parquet"
    arguments = [str(tmp_path), "-o", str(out), "--processes", "1"]
    main(["index", *arguments], standalone_mode=False)
    assert "10 frames in" in capsys.readouterr().out
    first = read_frame_index(out)
    (tmp_path / "frame-u-004510-4-0030.fits.gz").unlink()
    changed = tmp_path / "frame-g-004510-4-0030.fits.gz"
    os.utime(changed, ns=(1, 1))
    shutil.copy(tmp_path / "frame-r-003918-3-0213.fits.gz", tmp_path / "frame-r-003918-3-0214.fits.gz")
    main(["index", *arguments], standalone_mode=False)
    assert "10 frames in" in (said := capsys.readouterr().out) and "; 2 headers read" in said
    index = read_frame_index(out)
    names = {Path(path).name for path in index["path"]}
    assert "frame-r-003918-3-0214.fits.gz" in names and "frame-u-004510-4-0030.fits.gz" not in names
    np.testing.assert_array_equal(index[0]["cd"], first[0]["cd"])


def test_frames_that_cannot_be_used_are_listed_and_kept_out_of_the_way(tmp_path, capsys):
    for path in (DATA / "frames").iterdir():
        shutil.copy(path, tmp_path)
    write_frame(tmp_path, np.zeros((50, 50)), fits.Header({**frame_header(30.0, 10.0), "BUNIT": "DN"}), "i", 7)
    (tmp_path / "frame-r-000008-1-0001.fits").write_bytes(b"nothing")
    (tmp_path / "frame-r-004510-4-0030.fits.gz").write_bytes(b"nothing")
    out = tmp_path / "frames.parquet"
    main(["index", str(tmp_path), "-o", str(out), "--processes", "1", "-q"], standalone_mode=False)
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0].rpartition("/")[2] for line in said] == [
        "frame-i-000007-3-0001.fits", "frame-r-000008-1-0001.fits", "frame-r-004510-4-0030.fits.gz",
    ]  # fmt: skip
    index = read_frame_index(out, SDSS)
    assert np.isfinite(index["radius"]).sum() == 10 and (index["damage"] != "").sum() == 3
    damaged = overlapping_frames(index, 200.44824, 36.76827, SIDE_ARCSEC)
    assert [(frame["band"], bool(frame["damage"])) for frame in damaged] == [
        ("g", False), ("i", False), ("r", True), ("u", False), ("z", False)
    ]  # fmt: skip


def test_missing_and_changed_frames_of_an_index_are_named(tmp_path):
    paths = [write_frame(tmp_path, np.zeros((50, 50)), frame_header(30.0, 10.0), run=run) for run in (1, 2)]
    index = index_frames(tmp_path, R_ONLY)
    os.utime(paths[1], ns=(1, 1))
    with pytest.raises(ValueError, match="x: 1 of the 2 frames .* have changed .* the first is .*frame-r-000002-3"):
        index.check_files("x")
    paths[0].unlink()
    with pytest.raises(FileNotFoundError, match="x: 1 of the 2 frames .* are missing, the first is .*-000001-3-0001"):
        index.check_files("x")


def test_an_index_of_another_survey_is_refused(tmp_path):
    write_frame(tmp_path, np.zeros((50, 50)), frame_header(30.0, 10.0))
    index_frames(tmp_path, R_ONLY).write(tmp_path / "frames.parquet")
    with pytest.raises(ValueError, match="frames.parquet: is an index of the survey sdss, which has another bands"):
        read_frame_index(tmp_path / "frames.parquet", SDSS)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_a_damaged_index_is_refused_in_one_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("index")
    synthetic_index(np.random.default_rng(1), 10.0, 10.0, 5, 0.1).write(folder / "frames.parquet")
    table = pq.read_table(folder / "frames.parquet")
    how = data.draw(st.sampled_from(["bytes", "cut", "column", "type", "no meta", "null", "band"]))
    content = bytearray((folder / "frames.parquet").read_bytes())
    name = data.draw(st.sampled_from(table.column_names))
    if how == "bytes":
        for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=5)):
            content[position] ^= 0xFF
    elif how == "cut":
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        changed = {
            "column": lambda: table.drop_columns([name]),
            "type": lambda: table.set_column(0, name, pa.array(["x"] * 5)) if name not in frame_index.TEXTS else
            table.drop_columns([name]),
            "no meta": lambda: table.replace_schema_metadata({}),
            "null": lambda: table.set_column(table.column_names.index(name), name, pa.nulls(5)),
            "band": lambda: table.set_column(table.column_names.index("band"), "band", pa.array([9] * 5)),
        }[how]()
        pq.write_table(changed, folder / "frames.parquet")
        content = (folder / "frames.parquet").read_bytes()
    (folder / "frames.parquet").write_bytes(content)
    try:
        assert isinstance(read_frame_index(folder / "frames.parquet"), FrameIndex)
    except ValueError as error:
        assert "\n" not in str(error) and "frames.parquet: is no index of frames (" in str(error)
    else:
        assert how == "bytes"  # which nothing reads
