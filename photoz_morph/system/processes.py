"""How a worker process behaves: Ctrl-C is its parent's to handle, and it does not outlive its parent."""

import multiprocessing
import os
import signal
import threading
from multiprocessing import connection


def become_worker():
    """Call this first in a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    """Leave at once when the parent is gone: a command that was killed must not go on unseen."""
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
