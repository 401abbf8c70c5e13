"""Worker processes: they ignore Ctrl-C, which their parent handles, and end with their parent."""

import contextlib
import multiprocessing
import os
import signal
import threading
from multiprocessing import connection


def become_worker(leash=None):
    """Set up the calling process as a worker; call this first in it.

    Parameters
    ----------
    leash : multiprocessing.connection.Connection, optional
        The process also ends when its parent, which sends nothing, closes the other end of this pipe.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ends = [multiprocessing.parent_process().sentinel, *([leash] if leash else [])]
    threading.Thread(target=_end_with_one_of, args=(ends,), daemon=True).start()


def _end_with_one_of(ends):
    """Exit as soon as one is ready: the parent has ended, and a killed command leaves no process behind."""
    connection.wait(ends)
    os._exit(1)


@contextlib.contextmanager
def interrupts_ignored():
    """Ignore Ctrl-C while workers start, which inherit this; where the system allows it, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
