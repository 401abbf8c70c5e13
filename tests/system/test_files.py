import errno

import pytest

from photoz_morph.system.files import check_writable, reason_and_remedy, write_whole


def test_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "a.fits"
    with write_whole(path) as part:
        part.write_text("half")
        assert not path.exists()
        part.write_text("whole")
    assert path.read_text() == "whole" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("refused"), KeyboardInterrupt(), ValueError("bad")])
def test_a_failed_write_keeps_the_earlier_file_and_removes_the_part(tmp_path, error):
    path = tmp_path / "a.json"
    path.write_text("earlier")
    with pytest.raises(type(error)), write_whole(path) as part:
        part.write_text("half")
        raise error
    assert path.read_text() == "earlier" and list(tmp_path.iterdir()) == [path]


def test_the_temporary_name_can_keep_the_suffix(tmp_path):
    with write_whole(tmp_path / "a.keras", keep_suffix=True) as part:
        assert part.suffix == ".keras" and part.name != "a.keras"
        part.touch()
    with write_whole(tmp_path / "a.keras") as part:
        assert part.name == "a.keras.part"
        part.touch()


def test_an_error_of_the_system_names_the_file_and_the_remedy(tmp_path):
    with pytest.raises(OSError, match=r"missing/a.json: No such file or directory; check the path$"):
        with write_whole(tmp_path / "missing" / "a.json") as part:
            part.write_text("{}")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder: Is a directory; a folder is in the way"):
        with write_whole(tmp_path / "folder") as part:
            part.touch()


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), OSError("Not enough space on disk:\n requested 3 GB")]
)
def test_a_full_disk_is_recognised_with_and_without_its_number(error):
    line = reason_and_remedy(error, "runs/a.fits")
    assert line.startswith("runs/a.fits: No") and line.endswith("; free some space and run the same command again")
    assert "\n" not in line


def test_a_remedy_is_given_once():
    error = OSError(errno.ENOENT, "No such file or directory", "a.fits")
    once = reason_and_remedy(error)
    assert once == "a.fits: No such file or directory; check the path"
    assert reason_and_remedy(OSError(once)) == once


def test_a_place_that_cannot_be_written_to_is_found_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file/runs/a: Not a directory; a file is where a folder is needed"):
        check_writable(tmp_path / "file" / "runs" / "a")
    with pytest.raises(OSError, match="^/proc/runs: "):  # nobody can, not even root
        check_writable("/proc/runs")


def test_a_place_that_can_be_written_to_stays_as_it_was(tmp_path):
    check_writable(tmp_path / "runs" / "a")
    check_writable(tmp_path)
    assert not list(tmp_path.iterdir())


def test_two_that_write_the_same_file_at_once_do_not_meet(tmp_path):
    path = tmp_path / "a.fits"
    with write_whole(path, is_shared=True) as first, write_whole(path, is_shared=True) as second:
        assert first != second
        first.write_text("same")
        second.write_text("same")
    assert path.read_text() == "same" and list(tmp_path.iterdir()) == [path]
