import os
import signal
import subprocess
import sys
import time

import pytest

from photoz_morph.training.workers import run_workers
from tests.support.paths import ROOT
from tests.system.test_processes import is_alive, wait_for

FAST = {"set_up": str}  # these tasks need no TensorFlow


def square(task, send):
    send((os.getpid(), task**2))


def fail_at_one(task, send):
    send(os.getpid())
    if task == 1:
        raise ValueError("task 1 cannot be done; leave it out")
    time.sleep(600)


def die(task, send):
    os._exit(9)


def chatter(task, send):
    """Is never silent, and says in which process."""
    for _ in range(60_000):
        send(os.getpid())
        time.sleep(0.01)


def mistake(task, send):
    raise KeyError("a bug of ours")


def missing_file(task, send):
    open(task)


def all_end(processes):
    return wait_for(lambda: not any(map(is_alive, processes)), 60)


def test_every_task_is_done_once_in_a_process_of_its_own():
    done = []
    memory = run_workers(list(range(4)), 2, square, lambda task, message: done.append((task, *message)), **FAST)
    assert sorted((task, result) for task, _, result in done) == [(task, task**2) for task in range(4)]
    assert len({os.getpid(), *(process for _, process, _ in done)}) == 5
    assert memory > 0.01


def test_an_error_is_raised_here_and_stops_the_others():
    processes, start = {}, time.monotonic()
    with pytest.raises(ValueError, match="task 1 cannot be done; leave it out"):
        run_workers([0, 1, 2], 2, fail_at_one, processes.__setitem__, **FAST)
    assert time.monotonic() - start < 500  # task 0 would sleep for ten minutes
    assert 1 in processes and 2 not in processes and all_end(processes.values())


def test_a_process_that_dies_is_noticed():
    with pytest.raises(RuntimeError, match="was ended from outside.*is kept.* --jobs 1, .* half the data.batch_size"):
        run_workers([1, 2], 1, die, lambda task, message: None, **FAST)
    with pytest.raises(RuntimeError, match="was ended from outside.*: free some memory$"):
        run_workers([1, 2], 1, die, lambda task, message: None, "free some memory", **FAST)


def test_the_death_of_one_process_among_busy_ones_is_noticed_at_once_and_stops_them():
    processes, killed = {}, []

    def kill_one(task, process):
        processes[task] = process
        if len(processes) == 3 and not killed:
            os.kill(processes[1], signal.SIGKILL)
            killed.append(time.monotonic())

    with pytest.raises(RuntimeError, match="a worker process was ended from outside"):
        run_workers([0, 1, 2, 3], 3, chatter, kill_one, **FAST)
    assert time.monotonic() - killed[0] < 60  # a second on an idle machine; they would talk for ten minutes
    assert sorted(processes) == [0, 1, 2] and all_end(processes.values())


def test_an_error_of_ours_is_raised_with_the_traceback_of_its_process():
    with pytest.raises(KeyError, match="a bug of ours") as error:
        run_workers([1], 1, mistake, lambda task, message: None, **FAST)
    assert "in mistake" in str(error.value.__cause__)


def test_an_error_of_the_system_keeps_the_name_of_its_file(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        run_workers([str(tmp_path / "a.fits")], 1, missing_file, lambda task, message: None, **FAST)
    assert error.value.filename == str(tmp_path / "a.fits")


PARENT = """
import signal

from photoz_morph.training.workers import run_workers
from tests.training.test_workers import FAST, chatter

heard = set()

def note(task, process):
    if process not in heard:
        heard.add(process)
        print(process, flush=True)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    run_workers([0, 1], 2, chatter, note, **FAST)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_a_parent_that_is_killed_or_interrupted(tmp_path, number):
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
    )  # fmt: skip
    try:
        processes = [int(parent.stdout.readline()) for _ in range(2)]
        if number == signal.SIGINT:
            os.killpg(parent.pid, number)  # as a terminal does
        else:
            parent.kill()
        assert all_end(processes)
        _, said = parent.communicate(timeout=60)
    finally:
        parent.kill()
        parent.wait()
    assert said.count("Traceback") == (number == signal.SIGINT)  # of the parent, none of the workers
