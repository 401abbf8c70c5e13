"""Pool of worker processes that fill a folder of shards."""

import multiprocessing
import os
from collections import deque
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from photoz_morph.system.processes import become_worker, interrupts_ignored


def process_count(n_processes=None):
    """Number of processes, by default one per core; a ValueError if it is not positive."""
    if n_processes is not None and n_processes <= 0:
        raise ValueError(f"n_processes is {n_processes}; give at least 1, or None for all cores")
    return n_processes or os.cpu_count()


def run_all(function, jobs, n_processes, bar):
    """Call a function with the arguments of each job in several processes.

    Parameters
    ----------
    function : callable
        Returns the number by which to advance the bar.
    jobs : list of tuple
    n_processes : int
        Largest number of worker processes; a single job runs in the calling process.
    bar : tqdm

    Raises
    ------
    RuntimeError
        As soon as a worker process is killed; or the first error of a job.
    """
    n_processes = min(n_processes, len(jobs))
    if n_processes <= 1:
        for job in jobs:
            bar.update(function(*job))
        return
    # Spawned workers, because a fork would copy the threads of TensorFlow where it is loaded. At Ctrl-C the parent lets
    # them finish their shards.
    with ProcessPoolExecutor(n_processes, multiprocessing.get_context("spawn"), become_worker) as pool:
        with interrupts_ignored():
            futures = [pool.submit(function, *job) for job in jobs]
        try:
            for done in as_completed(futures):
                bar.update(done.result())
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a worker process was ended from outside, perhaps for lack of memory; finished shards are kept: run "
                "the same command again, with fewer --processes"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)  # or the pool would finish all shards before it reports
            raise


def map_in_order(function, items, n_processes):
    """Iterate over the results of a function of one argument, computed in several processes.

    Parameters
    ----------
    function : callable
    items : iterable
        Read no further ahead than keeps the processes busy.
    n_processes : int
        With 1, the function is called in this process.

    Yields
    ------
    object
        What `function` returns, in the order of `items`.

    Raises
    ------
    RuntimeError
        As soon as a worker process is killed; or the first error of a call.
    """
    if n_processes <= 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(n_processes, multiprocessing.get_context("spawn"), become_worker) as pool:
        waiting = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * n_processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a worker process was ended from outside, perhaps for lack of memory; run the same command again, with "
                "fewer --processes"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
