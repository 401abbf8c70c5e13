import json
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from photoz_morph.streaming import working_folder
from photoz_morph.streaming.owners import is_begun
from photoz_morph.streaming.working_folder import fill, joining, open_working_folder
from photoz_morph.system.locks import locked

PARTITIONS = [SimpleNamespace(name=f"stacks-{number}", n_rows=3) for number in range(5)]
SETTINGS = {"model": "abc", "combine": "median"}


def filled(out, numbers):
    """Working folder of an output with some parts."""
    work = open_working_folder(out, PARTITIONS, SETTINGS)
    for number in numbers:
        work.write(PARTITIONS[number].name, Table({"obj_id": np.arange(3) + 3 * number}))
    return work


def test_finished_parts_are_found_again_and_shares_are_every_nth(tmp_path):
    filled(tmp_path / "p.fits", [0, 3])
    work = open_working_folder(tmp_path / "p.fits", PARTITIONS, SETTINGS)
    assert work.missing() == [1, 2, 4]
    assert work.missing((1, 2)) == [2, 4] and work.missing((2, 2)) == [1]
    assert is_begun(tmp_path / "p.fits") and not is_begun(tmp_path / "q.fits")


def test_a_part_that_is_cut_off_or_of_other_rows_is_missing(tmp_path):
    work = filled(tmp_path / "p.fits", range(5))
    path = work.path("stacks-1")
    path.write_bytes(path.read_bytes()[:-5])
    work.write("stacks-2", Table({"obj_id": [1]}))
    assert work.missing() == [1, 2]


@pytest.mark.parametrize(
    ("partitions", "wanted", "message"),
    [
        (PARTITIONS, {**SETTINGS, "combine": "average"},
         r"computed with combine median \(this run has average\); remove the folder to begin anew, or give another"),
        (PARTITIONS, {"model": "abc"}, r"combine median \(this run has none\)"),
        (PARTITIONS, {**SETTINGS, "engine": "swarp"}, r"engine unknown \(this run has swarp\)"),
        (PARTITIONS[:4], SETTINGS, r"partitions 5, \w+ \(this run has 4, \w+\)"),
    ],
)  # fmt: skip
def test_parts_of_another_computation_are_refused_with_what_differs(tmp_path, partitions, wanted, message):
    filled(tmp_path / "p.fits", [0])
    with pytest.raises(ValueError, match=message):
        open_working_folder(tmp_path / "p.fits", partitions, wanted)


@pytest.mark.parametrize("content", ["", "[1]", "{", "null"])
def test_damaged_settings_are_one_line(tmp_path, content):
    filled(tmp_path / "p.fits", [0])
    (tmp_path / "p.fits.parts" / "settings.json").write_text(content)
    with pytest.raises(ValueError, match="p.fits.parts.*; remove the folder to begin anew"):
        open_working_folder(tmp_path / "p.fits", PARTITIONS, SETTINGS)


def test_of_two_that_begin_at_the_same_moment_the_second_is_told_the_settings_of_the_first(tmp_path, monkeypatch):
    write = working_folder._write_new

    def write_after_another(path, text):
        write(path, json.dumps(json.loads(text) | {"combine": "average"}))
        write(path, text)

    monkeypatch.setattr(working_folder, "_write_new", write_after_another)
    with pytest.raises(ValueError, match=r"computed with combine average \(this run has median\)"):
        open_working_folder(tmp_path / "p.fits", PARTITIONS, SETTINGS)
    assert [path.name for path in (tmp_path / "p.fits.parts").iterdir()] == ["settings.json"]


def test_the_parts_are_removed_when_the_output_is_on_the_disk(tmp_path, monkeypatch):
    work, synced = filled(tmp_path / "p.fits", range(5)), []
    work.out.write_text("whole")
    monkeypatch.setattr("os.fsync", lambda number: synced.append((os.fstat(number).st_ino, work.folder.is_dir())))
    work.remove()
    assert synced == [(work.out.stat().st_ino, True)] and not work.folder.exists()


def test_two_partitions_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two partitions of the input have the same name"):
        open_working_folder(tmp_path / "p.fits", [PARTITIONS[0], PARTITIONS[0]], SETTINGS)


def test_the_process_that_finds_all_parts_joins_them(tmp_path):
    work = filled(tmp_path / "p.fits", range(4))
    with joining(work, (1, 2)) as is_mine:
        assert not is_mine
    with pytest.raises(RuntimeError, match="p.fits.parts: parts were removed while others were computed"):
        with joining(work):
            pass
    work = filled(tmp_path / "p.fits", [4])
    with joining(work) as is_mine:
        assert is_mine
        assert np.concatenate([one["obj_id"] for one in work.parts().tables()]).tolist() == list(range(15))
        work.remove()
    assert not list(tmp_path.iterdir())


def test_of_two_shares_that_finish_together_one_joins(tmp_path):
    work = filled(tmp_path / "p.fits", range(5))
    with locked(tmp_path / "p.fits", is_folder=False), joining(work, (2, 3)) as is_mine:
        assert not is_mine
    with joining(work, (2, 3)) as is_mine:
        assert is_mine
        work.remove()
    with joining(work, (3, 3)) as is_mine:  # it had seen them before the other removed them
        assert not is_mine


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), keep=st.floats(0, 1))
def test_a_damaged_part_is_missing_or_one_line_or_as_it_was(tmp_path, position, bit, keep):
    shutil.rmtree(tmp_path / "p.fits.parts", ignore_errors=True)  # of the example before
    work = filled(tmp_path / "p.fits", range(5))
    path = work.path("stacks-3")
    content = bytearray(path.read_bytes())
    content[int(position * len(content))] ^= 1 << bit
    path.write_bytes(content[: int(keep * len(content)) if keep < 0.5 else len(content)])
    if work.missing():
        assert work.missing() == [3]
        return
    try:
        found = np.concatenate([one["obj_id"] for one in work.parts().tables()])
    except ValueError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        return
    assert found.tolist() == list(range(15))


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)))
def test_any_other_settings_are_one_line(tmp_path, content):
    shutil.rmtree(tmp_path / "p.fits.parts", ignore_errors=True)  # of the example before
    filled(tmp_path / "p.fits", [0])
    (tmp_path / "p.fits.parts" / "settings.json").write_text(content)
    try:
        open_working_folder(tmp_path / "p.fits", PARTITIONS, SETTINGS)
    except ValueError as error:
        assert "remove the folder" in str(error) and "\n" not in str(error)


def test_a_part_of_other_rows_than_announced_is_refused(tmp_path):
    work = filled(tmp_path / "p.fits", [])
    with pytest.raises(ValueError, match="stacks-1: has 2 rows, 3 were announced"):
        fill(work, lambda numbers: iter([3, 2, 3]), lambda name, n: Table({"obj_id": np.arange(n)}), progress=False)
    assert work.missing() == [1, 2, 3, 4]
