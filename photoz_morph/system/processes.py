"""Worker processes: they ignore Ctrl-C, which their parent handles, and end with their parent."""

import multiprocessing
import os
import signal
import threading
from multiprocessing import connection


def become_worker():
    """Set up the calling process as a worker; call this first in it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    """Exit as soon as the parent has ended, so that a killed command leaves no process behind."""
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
