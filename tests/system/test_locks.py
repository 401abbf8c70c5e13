"""Folders and files with one owner, among real processes."""

import os
import signal
import subprocess
import sys

import pytest
from astropy.table import Table

from photoz_morph.system.locks import is_locked, locked, one_owner
from tests.system.test_processes import wait_for

OWNER = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
import sys, time
from photoz_morph.system.locks import locked
sys.argv = ["photoz", "simulate", "--seed", "2"]
with locked({folder!r}, is_folder={is_folder}):
    print("owned", flush=True)
    time.sleep(60)
"""


def owner(folder, is_folder=True):
    """Another process that owns a folder, after it has said so."""
    script = OWNER.format(folder=str(folder), is_folder=is_folder)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "owned\n"
    return process


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_second_process_is_told_who_owns_the_folder_and_what_to_do(tmp_path, is_folder):
    folder = tmp_path / "stacks"
    process = owner(folder, is_folder)
    try:
        assert is_locked(folder, is_folder)
        with pytest.raises(ValueError) as error, locked(folder, "give another --out", is_folder):
            pass
    finally:
        process.kill()
        process.wait()
    assert str(error.value) == (
        f"{folder}: process {process.pid} on {os.uname().nodename} (photoz simulate) is writing there; wait until it "
        "has finished, end it, or give another --out"
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_that_ends_in_any_way_leaves_no_lock(tmp_path, number):
    process = owner(tmp_path / "stacks")
    process.send_signal(number)
    process.wait()
    assert not is_locked(tmp_path / "stacks")
    with locked(tmp_path / "stacks"):
        assert is_locked(tmp_path / "stacks")
    assert not is_locked(tmp_path / "stacks") and not list((tmp_path / "stacks").rglob("*"))


def test_of_many_processes_one_at_a_time_owns_a_folder(tmp_path):
    script = (
        "import os, sys, time\n"
        "from photoz_morph.system.locks import locked\n"
        "folder, log = sys.argv[1:]\n"
        "for _ in range(40):\n"
        "    try:\n"
        "        with locked(folder):\n"
        "            mark = os.open(log + '.inside', os.O_CREAT | os.O_EXCL)\n"  # fails if another is inside
        "            time.sleep(0.001)\n"
        "            os.close(mark), os.remove(log + '.inside')\n"
        "    except ValueError:\n"
        "        time.sleep(0.002)\n"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path / "stacks"), str(tmp_path / "log")]
    processes = [subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said


def test_a_folder_stays_as_it_was_when_nothing_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "new", tmp_path / "there"):
        with pytest.raises(KeyError), locked(folder):
            raise KeyError
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_function_owns_the_folder_that_it_is_given(tmp_path):
    @one_owner("out_dir")
    def fill(number, out_dir):
        (out_dir / "file").write_text(str(number))
        return is_locked(out_dir)

    assert fill(1, tmp_path / "a") and fill(out_dir=tmp_path / "b", number=2)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["a", "a/file", "b", "b/file"]


def test_a_folder_that_cannot_be_made_is_named_with_the_remedy(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file/stacks: Not a directory; a file is where a folder is needed"):
        with locked(tmp_path / "file" / "stacks"):
            pass


def test_a_folder_that_can_never_be_made_is_refused_at_once(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "at_all")
    for folder in (tmp_path / "link", "/proc/stacks", "/proc/self/stacks"):
        with pytest.raises(OSError, match=f"{folder}: "), locked(folder):
            pass


def test_a_file_system_that_numbers_files_anew_at_each_call_is_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)
    with locked(tmp_path / "stacks"):
        assert (tmp_path / "stacks" / "lock").exists()


def fill_with(name, folder):
    """Call the function behind one of the commands that fill a folder, with arguments that would fail later."""
    if name == "photoz simulate":
        from photoz_morph.simulation.sdss.sample import simulate_sample

        simulate_sample(folder, 0, -1)
    elif name == "morph simulate":
        from photoz_morph.simulation.morphology.sample import simulate_morphology

        simulate_morphology(folder, 0)
    elif name == "mock":
        from photoz_morph.mocks.sample import mock_scenes

        mock_scenes("nowhere", folder)
    elif name == "mock of images":
        from photoz_morph.mocks.sample import mock_scene_list

        mock_scene_list([], folder)
    elif name == "stack":
        from photoz_morph.stacking.stack import stack_catalog

        stack_catalog(Table(), "nowhere", folder)
    elif name == "report":
        from photoz_morph.report.page import write_page

        write_page([], folder, title="", banner="", is_real=False, overview=None, footer="")
    elif name == "train":
        from photoz_morph.runs.progress import locked as locked_run

        with locked_run(folder):
            pass
    else:
        from photoz_morph.models.exports.saved_model import write_saved_model

        write_saved_model(folder, {}, {})


@pytest.mark.parametrize(
    "name",
    ["photoz simulate", "morph simulate", "mock", "mock of images", "stack", "report", "train", "export"],
)
def test_commands_that_fill_folders_refuse_one_that_is_owned(tmp_path, name):
    with locked(tmp_path / "out", is_folder=name != "export"):
        with pytest.raises(ValueError, match=f"out: process {os.getpid()} on .* is writing there; wait until it has"):
            fill_with(name, tmp_path / "out")


SIMULATE = (sys.executable, "-c", "from photoz_morph.cli.photoz import main; main(prog_name='photoz')", "simulate")


def test_two_simulations_do_not_share_a_folder_and_the_second_goes_on_after_the_first_is_killed(tmp_path):
    arguments = [*SIMULATE, "--n-galaxies", "3000", "--processes", "1", "--out", str(tmp_path / "stacks"), "-q"]
    first = subprocess.Popen(arguments)
    try:
        assert wait_for(lambda: is_locked(tmp_path / "stacks"), 60)
        second = subprocess.run(arguments, capture_output=True, text=True)
        assert second.returncode == 1 and f"Error: {tmp_path}/stacks: process {first.pid} on " in second.stderr
    finally:
        first.kill()
        first.wait()
    shorter = [*SIMULATE, "--n-galaxies", "2", "--out", str(tmp_path / "stacks"), "-q"]
    assert subprocess.run(shorter, capture_output=True).returncode == 0
    assert (tmp_path / "stacks" / "stacks-00000.fits").exists()
