import os
import signal
import threading
import time

import pytest
from tqdm import tqdm

from photoz_morph.system.pool import map_in_order, process_count, run_all
from tests.system.test_processes import wait_for


def write_pid(folder, number):
    (folder / str(number)).write_text(f"{os.getpid()} {signal.getsignal(signal.SIGINT) == signal.SIG_IGN}")
    return number


def fail(folder, number):
    if number == 1:
        raise ValueError("shard 1 failed")
    return write_pid(folder, number)


def jobs(folder, n):
    return [(folder, number) for number in range(n)]


def test_several_processes_do_every_job_once_and_ignore_ctrl_c(tmp_path):
    with (tmp_path / "bar").open("w") as file, tqdm(file=file) as bar:
        run_all(write_pid, jobs(tmp_path, 5), 2, bar)
        assert bar.n == 0 + 1 + 2 + 3 + 4
    lines = [(tmp_path / str(number)).read_text().split() for number in range(5)]
    assert str(os.getpid()) not in {pid for pid, _ in lines} and {ignored for _, ignored in lines} == {"True"}


def test_a_single_job_runs_in_this_process(tmp_path):
    with tqdm(disable=True) as bar:
        run_all(write_pid, jobs(tmp_path, 1), 8, bar)
    assert (tmp_path / "0").read_text().split()[0] == str(os.getpid())


@pytest.mark.parametrize("n_processes", [1, 2])
def test_the_error_of_a_job_is_raised(tmp_path, n_processes):
    with tqdm(disable=True) as bar, pytest.raises(ValueError, match="shard 1 failed"):
        run_all(fail, jobs(tmp_path, 3), n_processes, bar)


def halved(number):
    if number == 7:
        raise ValueError("7 is odd")
    return os.getpid(), number / 2


@pytest.mark.parametrize("n_processes", [1, 2])
def test_results_come_in_the_order_of_the_items(n_processes):
    read = []
    results = map_in_order(halved, (read.append(n) or n for n in range(0, 40, 2)), n_processes)
    (pid, first), rest = next(results), list(results)
    assert [first, *(half for _, half in rest)] == list(range(20))
    assert (pid == os.getpid()) == (n_processes == 1)


def test_items_are_read_no_further_ahead_than_the_processes_need():
    read = []
    results = map_in_order(halved, (read.append(n) or n for n in range(0, 400, 2)), 2)
    next(results)
    assert len(read) == 5
    results.close()
    assert len(read) == 5


@pytest.mark.parametrize("n_processes", [1, 2])
def test_the_error_of_an_item_is_raised(n_processes):
    with pytest.raises(ValueError, match="7 is odd"):
        list(map_in_order(halved, [2, 7, 4], n_processes))


def test_number_of_processes():
    assert process_count(3) == 3 and process_count() == os.cpu_count()
    for wrong in (0, -2):
        with pytest.raises(ValueError, match=f"n_processes is {wrong}; give at least 1, or None for all cores"):
            process_count(wrong)


def sleep_and_say(folder, number):
    if number == 0:
        return 1
    (folder / str(number)).write_text(str(os.getpid()))
    time.sleep(600)


def test_a_killed_worker_among_busy_ones_is_noticed_at_once(tmp_path):
    killed = []

    def kill_one():
        assert wait_for(lambda: (tmp_path / "1").exists() and (tmp_path / "1").read_text(), 60)
        killed.append(time.monotonic())
        os.kill(int((tmp_path / "1").read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with tqdm(disable=True) as bar, pytest.raises(RuntimeError, match="ended from outside.*with fewer --processes"):
        run_all(sleep_and_say, jobs(tmp_path, 4), 3, bar)
    killer.join()
    assert time.monotonic() - killed[0] < 60  # the others would sleep for ten minutes
