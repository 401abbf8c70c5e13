"""Networks trained side by side on CPUs, one worker process and one thread each.

Small networks gain nothing from a second thread, so two processes train twice as fast as one on two cores; and since
each network has one thread whatever the number of workers, its weights do not depend on that number. With GPUs the
networks are trained one after the other instead, each over all of them.
"""

import multiprocessing
import os
import pickle
import queue
import resource
import signal
import threading
from multiprocessing import connection

from photoz_morph.quiet import quiet_tensorflow

# Exceptions a user can mend go to the parent by name and message; anything else is a fault of ours.
MENDABLE = (ValueError, FileNotFoundError, OSError, RuntimeError, MemoryError)


def run_workers(tasks, n_workers, train, on_message):
    """Share tasks among worker processes, until all are done or one fails.

    Parameters
    ----------
    tasks : list
        Each goes to whichever worker is free, in order.
    n_workers : int
    train : callable
        Called in a worker as train(task, send); must be picklable. What it hands to `send` goes to `on_message`.
    on_message : callable
        Called here as on_message(task, message).

    Returns
    -------
    float
        Peak memory of the workers together [GB].

    Raises
    ------
    ValueError, OSError, RuntimeError, MemoryError
        The first error of a worker; the others are stopped.
    """
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    to_do, messages = context.SimpleQueue(), context.Queue()
    for task in [*tasks, *[None] * n_workers]:
        to_do.put(task)
    arguments = (to_do, messages, pickle.dumps(train))
    workers = [context.Process(target=_work, args=arguments, daemon=True) for _ in range(n_workers)]
    try:
        for worker in workers:
            worker.start()
        return _listen(workers, messages, on_message)
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _listen(workers, messages, on_message):
    """Hand on messages until every worker has said goodbye; peak memory of all."""
    n_working, peak_memory = len(workers), 0.0
    while n_working:
        try:
            kind, task, content = messages.get(timeout=1)
        except queue.Empty:
            _check_alive(workers)
            continue
        if kind == "goodbye":
            n_working, peak_memory = n_working - 1, peak_memory + content
        elif kind == "error":
            raise content
        else:
            on_message(task, content)
    return peak_memory


def _check_alive(workers):
    """Raise a RuntimeError if a worker has died; the system kills one that takes too much memory."""
    dead = [worker.exitcode for worker in workers if worker.exitcode not in (None, 0)]
    if dead:
        raise RuntimeError(
            f"a worker process ended with exit code {dead[0]}; if it was killed for memory, train fewer networks at "
            "once with --jobs 1. The same command goes on from the last epoch"
        )


def _work(to_do, messages, pickled_train):
    """A worker: trains until there is no task left, and ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    quiet_tensorflow()  # before unpickling, which imports it too
    train = pickle.loads(pickled_train)
    while (task := to_do.get()) is not None:
        try:
            train(task, lambda content, task=task: messages.put(("message", task, content)))
        except MENDABLE as error:
            messages.put(("error", task, type(error)(*error.args)))
            return
    messages.put(("goodbye", None, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6))  # kB on Linux


def _end_with_parent():
    """Leave at once when the parent is gone: a run that was killed must not go on unseen."""
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
