import os
import time

import pytest

from photoz_morph.training.workers import run_workers


def square(task, send):
    send((os.getpid(), task**2))


def fail_at_one(task, send):
    if task == 1:
        raise ValueError("task 1 cannot be done; leave it out")
    time.sleep(60)


def die(task, send):
    os._exit(9)


def test_every_task_is_done_once_in_a_process_of_its_own():
    done = []
    memory = run_workers(list(range(4)), 2, square, lambda task, message: done.append((task, *message)))
    assert sorted((task, result) for task, _, result in done) == [(task, task**2) for task in range(4)]
    assert len({os.getpid(), *(process for _, process, _ in done)}) == 5
    assert memory > 0.1


def test_an_error_is_raised_here_and_stops_the_others():
    start = time.monotonic()
    with pytest.raises(ValueError, match="task 1 cannot be done; leave it out"):
        run_workers([0, 1, 2], 2, fail_at_one, lambda task, message: None)
    assert time.monotonic() - start < 50  # task 0 would sleep for a minute


def test_a_process_that_dies_is_noticed():
    with pytest.raises(RuntimeError, match="ended with exit code 9; .* --jobs 1, .* half the data.batch_size"):
        run_workers([1, 2], 1, die, lambda task, message: None)
