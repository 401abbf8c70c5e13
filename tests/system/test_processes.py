import os
import signal
import subprocess
import sys
import time

SCRIPT = """
import multiprocessing, os, sys, time
from photoz_morph.system.processes import become_worker

def work(path):
    become_worker()
    with open(path + ".part", "w") as file:
        file.write(str(os.getpid()))
    os.replace(path + ".part", path)
    time.sleep(60)

process = multiprocessing.get_context("fork").Process(target=work, args=(sys.argv[1],))
process.start()
process.join()
"""


def is_alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_worker_ignores_ctrl_c_and_ends_with_its_killed_parent(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / "pid")])
    try:
        assert wait_for((tmp_path / "pid").exists)
        worker = int((tmp_path / "pid").read_text())
        os.kill(worker, signal.SIGINT)
        time.sleep(0.2)
        assert is_alive(worker)
    finally:
        parent.kill()
        parent.wait()
    assert wait_for(lambda: not is_alive(worker))
