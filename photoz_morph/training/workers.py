"""Networks trained in parallel on CPUs, each in its own single-threaded process.

Small networks gain nothing from a second thread, so two processes train faster than one on two cores; and since each
network has one thread whatever the number of processes, its weights do not depend on that number. A process ends with
its network, which takes a few seconds and frees all its memory. With GPUs the networks are trained one after another
instead, each on all of them.
"""

import contextlib
import multiprocessing
import pickle
import queue
import resource
import signal
import threading

from photoz_morph.system.processes import become_worker
from photoz_morph.training.quiet import quiet_tensorflow

# Errors that a user can fix, passed to the parent by name and message; any other is a bug.
USER_ERRORS = (ValueError, FileNotFoundError, OSError, RuntimeError, MemoryError)


def run_workers(tasks, n_workers, train, on_message):
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

    Returns
    -------
    float
        Peak memory of the processes [GB]: that of the largest, times their number at once.

    Raises
    ------
    ValueError, OSError, RuntimeError, MemoryError
        The first error of a process; the others are stopped.
    """
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    messages, pickled_train = context.Queue(), pickle.dumps(train)
    waiting, running, peak_memory = list(tasks), {}, 0.0
    try:
        while waiting or running:
            while waiting and len(running) < n_workers:
                task = waiting.pop(0)
                running[task] = context.Process(target=_work, args=(task, messages, pickled_train), daemon=True)
                with _interrupts_ignored():  # a child that starts inherits this; Ctrl-C is the parent's to handle
                    running[task].start()
            try:
                kind, task, content = messages.get(timeout=1)
            except queue.Empty:
                _check_alive(running.values())
                continue
            if kind == "error":
                raise content
            if kind == "message":
                on_message(task, content)
            else:
                peak_memory = max(peak_memory, content)
                running.pop(task).join()
    finally:
        for process in running.values():
            process.terminate()
            process.join()
    return peak_memory * min(n_workers, len(tasks))


@contextlib.contextmanager
def _interrupts_ignored():
    """Ignore Ctrl-C for a moment, where the system allows it: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _check_alive(processes):
    """Raise a RuntimeError if a process has died; the system kills one that takes too much memory."""
    dead = [process.exitcode for process in processes if process.exitcode not in (None, 0)]
    if dead:
        raise RuntimeError(
            f"a worker process ended with exit code {dead[0]}; if it was killed for memory, train one network at a "
            "time with --jobs 1, which resumes at the last epoch, or start a run with half the data.batch_size"
        )


def _work(task, messages, pickled_train):
    """Body of a process: do the task, and end when the parent does."""
    become_worker()
    quiet_tensorflow()  # before unpickling, which imports it too
    try:
        pickle.loads(pickled_train)(task, lambda content: messages.put(("message", task, content)))
    except USER_ERRORS as error:
        named = (error.filename,) if isinstance(error, OSError) and error.filename else ()  # not in its args
        messages.put(("error", task, type(error)(*error.args, *named)))
        return
    messages.put(("goodbye", task, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6))  # kB on Linux
