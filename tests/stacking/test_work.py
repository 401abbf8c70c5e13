"""Order of work, processes and parts: they change neither a row nor a pixel, only how often a frame is opened."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.shards.stacks import find_shards, read_shard
from photoz_morph.stacking import pixels, stack, work
from photoz_morph.stacking.astrometry import from_tangent_plane
from photoz_morph.stacking.frame_index import index_frames
from photoz_morph.stacking.stack import iter_stacks, stack_catalog
from photoz_morph.stacking.stamps import StackSettings, held_layers
from photoz_morph.surveys import SDSS
from tests.support.frames import R_ONLY, frame_header, write_frame

SIDE = 120  # pixels of a frame


@pytest.fixture(scope="module")
def survey_folder(tmp_path_factory):
    """Sixteen frames side by side, of two bands, with blank, damaged and missing ones among them."""
    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(1)
    for number in range(16):
        ra, dec = from_tangent_plane(0.0125 * (number % 4), 0.0125 * (number // 4), 30.0, 10.0)
        image = rng.normal(size=(SIDE, SIDE))
        if number == 5:
            image[:] = 0
        path = write_frame(folder, image, frame_header(ra, dec, 7.0 * number, (SIDE, SIDE)), run=number)
        if number == 10:
            path.write_bytes(path.read_bytes()[:20_000])
    return folder


@pytest.fixture(scope="module")
def scattered():
    """Catalogue of 60 galaxies in random order."""
    rng = np.random.default_rng(2)
    ra, dec = from_tangent_plane(*rng.uniform(-0.005, 0.043, (2, 60)), 30.0, 10.0)
    return Table({"obj_id": np.arange(60), "ra": ra, "dec": dec, "ebv": np.zeros(60)})


def stacked(catalog, frames, out, monkeypatch, shard_size=10, **options):
    """Images and table of all shards."""
    monkeypatch.setattr(stack, "SHARD_SIZE", shard_size)
    summary = stack_catalog(catalog, frames, out, R_ONLY, progress=False, **options)
    return all_rows(out), summary


def all_rows(out):
    """Images, numbers and text of all shards of a folder, in order."""
    images, tables, _ = zip(*(read_shard(path) for path in find_shards(out)))
    names = ("obj_id", "n_frames", "weight", "flag")
    return [np.concatenate(images), *(np.concatenate([table[name] for table in tables]) for name in names),
            [str(text) for table in tables for text in table["flag_reason"]]]  # fmt: skip


def assert_same(one, other):
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_scattered_catalogue_opens_each_frame_about_once_and_has_the_same_rows(
    tmp_path, survey_folder, scattered, monkeypatch
):
    monkeypatch.setattr(work, "HELD_BYTES", 0)
    opened = []
    read = pixels.read_frame
    monkeypatch.setattr(pixels, "read_frame", lambda frame: opened.append(frame["path"]) or read(frame))
    rows, _ = stacked(scattered, survey_folder, tmp_path / "frame order", monkeypatch)
    n_by_frame = len(opened)
    monkeypatch.setattr(stack, "WORTH_SORTING", np.inf)
    opened.clear()
    plain, _ = stacked(scattered, survey_folder, tmp_path / "own order", monkeypatch)
    assert n_by_frame < 40 < 60 < len(opened), (n_by_frame, len(opened))
    assert_same(rows, plain)
    assert rows[1].tolist() == list(range(60)) and 0 < rows[4].sum() < 60
    assert sorted(path.name for path in (tmp_path / "frame order").iterdir()) == [
        f"stacks-{number:05d}.fits" for number in range(6)
    ]
    for number in range(6):
        name = f"stacks-{number:05d}.fits"
        headers = [dict(read_shard(tmp_path / order / name)[2]) for order in ("frame order", "own order")]
        assert {key for key in headers[0] if headers[0][key] != headers[1][key]} <= {"CHECKSUM"}  # it has the time


def test_rows_do_not_depend_on_processes_shards_order_or_memory(tmp_path, survey_folder, scattered, monkeypatch):
    one, _ = stacked(scattered, survey_folder, tmp_path / "one", monkeypatch, 60)
    two, summary = stacked(scattered, survey_folder, tmp_path / "two", monkeypatch, 7, processes=2)
    assert_same(one, two)
    assert sum("0 where there should be noise" in message for message in summary.messages) == 1
    order = np.random.default_rng(3).permutation(60)
    turned, _ = stacked(scattered[order], survey_folder, tmp_path / "turned", monkeypatch)
    assert_same([np.asarray(column)[order] for column in one], turned)
    memory = list(iter_stacks(scattered, survey_folder, R_ONLY, progress=False))
    np.testing.assert_array_equal(np.concatenate([images for images, _ in memory]), one[0])


def test_parts_fill_one_folder_with_the_shards_of_the_whole(tmp_path, survey_folder, scattered, monkeypatch):
    whole, _ = stacked(scattered, survey_folder, tmp_path / "whole", monkeypatch)
    monkeypatch.setattr(stack, "SHARD_SIZE", 10)
    out = tmp_path / "parts"
    first = stack_catalog(scattered, survey_folder, out, R_ONLY, progress=False, part=(2, 2))
    assert [path.name for path in first.paths] == [f"stacks-0000{number}.fits" for number in (3, 4, 5)]
    assert any("3 of 6 shards are still missing, the first is stacks-00000.fits" in said for said in first.messages)
    with pytest.raises(FileNotFoundError, match="3 of 6 shards are missing, the first is stacks-00000.fits"):
        find_shards(out)
    second = stack_catalog(scattered, survey_folder, out, R_ONLY, progress=False, part=(1, 2))
    assert not any("missing" in said for said in second.messages)
    assert_same(all_rows(out), whole)
    assert stack_catalog(scattered, survey_folder, out, R_ONLY, progress=False).n_kept_shards == 6


def test_a_killed_run_goes_on_where_it_was_and_ends_with_the_same_rows(
    tmp_path, survey_folder, scattered, monkeypatch
):
    whole, _ = stacked(scattered, survey_folder, tmp_path / "whole", monkeypatch)
    out = tmp_path / "out"
    script = (
        "import os, sys\n"
        "from astropy.table import Table\n"
        "from photoz_morph.stacking import stack, work\n"
        "from tests.support.frames import R_ONLY\n"
        "stack.SHARD_SIZE, unit, written = 10, work.stack_unit, stack.write_shard\n"
        "left = [int(sys.argv[4])]\n"
        "def step(function, *arguments):\n"
        "    left[0] -= 1\n"
        "    if left[0] < 0: os.kill(os.getpid(), 9)\n"
        "    return function(*arguments)\n"
        "stack.stack_unit = lambda *arguments: step(unit, *arguments)\n"
        "stack.write_shard = lambda *arguments: step(written, *arguments)\n"
        "stack.stack_catalog(Table.read(sys.argv[1]), sys.argv[2], sys.argv[3], R_ONLY, progress=False)\n"
    )
    scattered.write(tmp_path / "galaxies.fits")
    made = []
    for steps in (2, 3, 4):  # six units and six shards in all
        command = [sys.executable, "-c", script, tmp_path / "galaxies.fits", survey_folder, out, str(steps)]
        assert subprocess.run(list(map(str, command)), capture_output=True, check=False).returncode == -9
        made.append((len(list(out.glob("unsorted/unit-*.json"))), len(list(out.glob("stacks-*.fits")))))
    assert made == [(2, 0), (5, 0), (6, 3)]
    rows, summary = stacked(scattered, survey_folder, out, monkeypatch)
    assert_same(rows, whole)
    assert summary.n_kept_shards == 3 and not (out / "unsorted").exists()


def test_unfinished_work_of_other_settings_is_not_used(tmp_path, survey_folder, scattered, monkeypatch):
    monkeypatch.setattr(stack, "SHARD_SIZE", 10)
    broken = stack.write_shard

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(stack, "write_shard", interrupt)
    with pytest.raises(KeyboardInterrupt):
        stack_catalog(scattered, survey_folder, tmp_path / "out", R_ONLY, progress=False)
    assert (tmp_path / "out" / "unsorted" / "unit-000005.json").exists()
    monkeypatch.setattr(stack, "write_shard", broken)
    rows, _ = stacked(scattered, survey_folder, tmp_path / "out", monkeypatch, combine="average")
    fresh, _ = stacked(scattered, survey_folder, tmp_path / "fresh", monkeypatch, combine="average")
    assert_same(rows, fresh)


def test_an_index_and_its_folder_give_the_same_stacks(tmp_path, survey_folder, scattered, monkeypatch):
    index_frames([survey_folder], R_ONLY, keep_bad=True).write(tmp_path / "frames.parquet")
    from_folder, _ = stacked(scattered, survey_folder, tmp_path / "folder", monkeypatch)
    from_index, _ = stacked(scattered, tmp_path / "frames.parquet", tmp_path / "index", monkeypatch)
    assert_same(from_folder, from_index)


def test_shards_of_one_engine_are_not_continued_by_the_other(tmp_path, survey_folder, scattered, monkeypatch):
    stacked(scattered[:5], survey_folder, tmp_path, monkeypatch)
    header = read_shard(tmp_path / "stacks-00000.fits")[2]
    assert (header["ENGINE"], header["NSHARDS"]) == ("lanczos", 1)
    monkeypatch.setattr(stack, "find_swarp", lambda swarp: ("SWarp", "2.41.5"))
    with pytest.raises(ValueError, match="ENGINE is lanczos, this run has swarp; continue with --engine lanczos, or"):
        stack_catalog(scattered[:5], survey_folder, tmp_path, R_ONLY, progress=False, engine="swarp")


def test_an_engine_that_does_not_run_the_program_given_is_refused(tmp_path, scattered):
    with pytest.raises(ValueError, match="engine is 'drizzle'; it must be one of lanczos, swarp"):
        stack_catalog(scattered, tmp_path, tmp_path / "out", R_ONLY, engine="drizzle")
    with pytest.raises(ValueError, match="engine is lanczos, which does not run SWarp; give engine swarp"):
        stack_catalog(scattered, tmp_path, tmp_path / "out", R_ONLY, engine="lanczos", swarp="SWarp")


def test_a_process_holds_no_more_frames_than_it_has_memory_for(survey_folder):
    index = index_frames([survey_folder], R_ONLY, keep_bad=True)
    held = pixels.FramePixels(R_ONLY, 3 * SIDE**2 * 4)
    for row in (0, 1, 2, 2, 0, 1, 2, 3, 1, 0):
        held(index[row])
    assert held.n_read == 5  # 0, 1 and 2; 3 instead of 0; and 0 once more


def test_work_is_shared_out_in_the_order_of_the_frames(survey_folder, scattered):
    index = index_frames([survey_folder], R_ONLY, keep_bad=True)
    starts, rows = index.overlaps(scattered["ra"], scattered["dec"], 25.3)
    plan = work.Plan(np.array(scattered["ra"]), np.array(scattered["dec"]), index, starts, rows, None, 1)
    ordered = plan.by_frame(np.arange(60))
    first = [rows[starts[i]] if starts[i + 1] > starts[i] else 10**6 for i in ordered]
    assert sorted(ordered) == list(range(60)) and first == sorted(first)


@pytest.mark.parametrize(("engine", "expected"), [("lanczos", 8192), ("swarp", 534)])
def test_large_stamps_wait_in_as_much_memory_as_small_ones(engine, expected):
    side = np.array([64, 256, 1024])
    settings = [StackSettings(replace(SDSS, stamp_size=int(size)), engine) for size in side]
    number = np.array([held_layers(one) for one in settings])
    assert number[0] == expected
    assert (4 * number * side**2 <= 2**27).all()
    if engine == "lanczos":
        np.testing.assert_array_equal(number, 8192 * 64**2 // side**2)
