import os
import signal
import subprocess
import sys
import time

import pytest
from tqdm import tqdm

from photoz_morph.system.pool import process_count, run_all

PARENT = """
import os, sys, time
from pathlib import Path
from tqdm import tqdm
from photoz_morph.system.pool import run_all

def work(folder, number):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60)
    return 1

if __name__ == "__main__":
    run_all(work, [(sys.argv[1], number) for number in range(2)], 2, tqdm(disable=True))
"""


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as status:
        return status.read().rpartition(")")[2].split()[0] != "Z"  # a dead one that nobody has asked about yet


def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    script, folder = tmp_path / "parent.py", tmp_path / "workers"
    script.write_text(PARENT)
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(folder)])
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    workers = [int(path.name) for path in folder.iterdir()]
    assert len(workers) == 2 and all(map(is_alive, workers))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while any(map(is_alive, workers)) and time.monotonic() < deadline:  # they sleep for a minute otherwise
        time.sleep(0.1)
    assert not any(map(is_alive, workers))


def test_jobs_are_all_done_whatever_the_number_of_processes(tmp_path):
    for n_processes in (1, 2):
        with tqdm(disable=False, file=open(os.devnull, "w")) as bar:
            run_all(pow, [(2, 3), (1, 5), (3, 2)], n_processes, bar)
            assert bar.n == 8 + 1 + 9


def test_no_process_is_refused():
    with pytest.raises(ValueError, match="n_processes is 0; give at least 1, or None for all cores"):
        process_count(0)
