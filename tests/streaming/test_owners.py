import subprocess
import sys

import pytest

from photoz_morph.streaming.owners import owned, working_folder
from photoz_morph.streaming.working_folder import open_working_folder
from tests.streaming.test_working_folder import PARTITIONS, SETTINGS

OWNER = """
import sys, time
from photoz_morph.streaming.owners import owned
with owned({out!r}, {share!r}):
    print("owned", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def own_elsewhere(tmp_path):
    """Function that lets another process own an output, or a share of it."""
    processes = []

    def own(share=None):
        script = OWNER.format(out=str(tmp_path / "p.fits"), share=share)
        processes.append(subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True))
        assert processes[-1].stdout.readline() == "owned\n"
        return processes[-1]

    yield own
    for process in processes:
        process.kill()
        process.wait()


def test_shares_are_computed_side_by_side_and_a_second_of_one_is_refused(tmp_path, own_elsewhere):
    first = own_elsewhere((1, 3))
    with owned(tmp_path / "p.fits", (2, 3)), owned(tmp_path / "p.fits", (3, 3)):
        pass
    with pytest.raises(ValueError, match=f"share-1-of-3: process {first.pid} .* or give another --part"):
        with owned(tmp_path / "p.fits", (1, 3)):
            pass


def test_shares_of_another_number_or_the_whole_beside_a_share_are_refused(tmp_path, own_elsewhere):
    own_elsewhere((1, 3))
    for share in (None, (2, 2), (2, 4)):
        with pytest.raises(ValueError, match="another process is computing --part 1/3 of it; wait until"):
            with owned(tmp_path / "p.fits", share):
                pass


def test_a_share_beside_the_whole_is_refused_and_leaves_nothing(tmp_path, own_elsewhere):
    own_elsewhere()
    with pytest.raises(ValueError, match="another process is computing or joining it as a whole"):
        with owned(tmp_path / "p.fits", (1, 2)):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["p.fits.lock"]


def test_the_share_of_a_killed_process_is_free_again(tmp_path, own_elsewhere):
    process = own_elsewhere((1, 2))
    process.kill()
    process.wait()
    for share in ((1, 2), (1, 3), None):
        with owned(tmp_path / "p.fits", share):
            pass


def test_a_share_of_what_was_joined_is_refused(tmp_path):
    (tmp_path / "p.fits").touch()
    with pytest.raises(ValueError, match="p.fits: exists, and all its parts were joined; remove it"):
        with owned(tmp_path / "p.fits", (1, 2)):
            pass
    open_working_folder(tmp_path / "p.fits", PARTITIONS, SETTINGS)  # a new computation, of an earlier output's name
    with owned(tmp_path / "p.fits", (1, 2)):
        assert working_folder(tmp_path / "p.fits").is_dir()
