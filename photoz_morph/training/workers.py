"""Networks trained in parallel on CPUs, each in its own single-threaded process.

Small networks gain nothing from a second thread, so two processes train faster than one on two cores; and since each
network has one thread whatever the number of processes, its weights do not depend on that number. A process ends with
its task, a few networks of one fold, which frees all its memory. With GPUs the networks are trained one after another
instead, each on all of them.

Each process is a pool of one: the executor of Python notices at once if it dies, and no other process is harmed.
"""

import multiprocessing
import pickle
import resource
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path

from photoz_morph.system.processes import become_worker, interrupts_ignored
from photoz_morph.training.quiet import quiet_tensorflow

REMEDY = "train one network at a time with --jobs 1, or start a run with half the data.batch_size"
MESSAGE, END = "message", "end"  # kinds of what a process sends


def run_workers(tasks, n_workers, train, on_message, remedy=REMEDY, set_up=quiet_tensorflow):
    """Run each task in its own process, several at once, until all are done or one fails.

    Parameters
    ----------
    tasks : list
        Started in this order.
    n_workers : int
        Processes at once.
    train : callable
        Called in a process as train(task, send); must be picklable. What it passes to `send` goes to `on_message`.
    on_message : callable
        Called in this process as on_message(task, message).
    remedy : str
        End of the message about a process that was killed.
    set_up : callable
        Called first in each process, before `train` is unpickled there, which may import TensorFlow.

    Returns
    -------
    float
        Peak memory of the processes [GB]: that of the largest, times their number at once, without the half gigabyte
        of libraries and other memory that each of them shares with this one.

    Raises
    ------
    ValueError, OSError, RuntimeError, MemoryError
        The first error of a process, or that it was killed; the others are stopped.
    """
    waiting, running, peak_memory = list(tasks), [], 0.0
    pickled_train = pickle.dumps(train)
    try:
        while waiting or running:
            while waiting and len(running) < n_workers:
                running.append(_Worker(waiting.pop(0), pickled_train, set_up))
            ready = connection.wait([worker.pipe for worker in running])
            for worker in [worker for worker in running if worker.pipe in ready]:
                if worker.has_ended(on_message):
                    peak_memory = max(peak_memory, worker.result(remedy))
                    running.remove(worker)
                    worker.stop()
    finally:
        for worker in running:
            worker.stop()
    return peak_memory * min(n_workers, len(tasks))


class _Worker:
    """A task in a process of its own, and the pipe through which it sends its progress."""

    def __init__(self, task, pickled_train, set_up):
        context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
        self.task = task
        self.pipe, other_end = context.Pipe()
        self._pool = ProcessPoolExecutor(1, context, _start, (other_end, set_up))
        with interrupts_ignored():
            self._peak_memory = self._pool.submit(_work, task, pickled_train)
        other_end.close()  # the process has its own: if it dies, ours is at its end

    def has_ended(self, on_message):
        """Pass on what the process has sent; True if it has done its task, failed, or died."""
        try:
            while self.pipe.poll():
                kind, content = self.pipe.recv()
                if kind == END:
                    return True
                on_message(self.task, content)
        except (EOFError, ConnectionResetError):
            return True
        return False

    def result(self, remedy):
        """Peak memory of the process [GB], or its error."""
        try:
            return self._peak_memory.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a worker process was ended from outside, perhaps for lack of memory; finished work is kept, and the "
                f"same command goes on from there: {remedy}"
            ) from error

    def stop(self):
        """End the process, at once if it still works."""
        self.pipe.close()  # its leash
        self._pool.shutdown(cancel_futures=True)


def _start(pipe, set_up):
    """Set up a process."""
    become_worker(leash=pipe)
    set_up()
    _Sender.pipe = pipe


class _Sender:
    """The pipe of this process to its parent; an executor gives a task no other way to it."""

    pipe = None


def _work(task, pickled_train):
    """Do the task; returns the peak memory [GB] that is of this process alone."""
    try:
        pickle.loads(pickled_train)(task, lambda content: _Sender.pipe.send((MESSAGE, content)))
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - _file_pages_kb()) / 1e6  # kB on Linux
    finally:
        _Sender.pipe.send((END, None))


def _file_pages_kb():
    """Resident pages of mapped files and of shared memory [kB]; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssFile:", "RssShmem:")))
