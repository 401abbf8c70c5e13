"""Reading ahead: the next item is made in a thread while this one is used."""

import contextlib
import queue
import threading

END = object()


def prefetched(items, depth=1):
    """Iterate over items that a thread takes from an iterator ahead of their use.

    Parameters
    ----------
    items : iterator
        Of what takes long to read; only the thread touches it, and closes it.
    depth : int
        Items that wait. Beside them, one is in use and one is being read.

    Yields
    ------
    object
        The items, in order.

    Raises
    ------
    BaseException
        What `items` raises, after the items before it.
    """
    waiting, is_over = queue.Queue(depth), threading.Event()
    thread = threading.Thread(target=_fill, args=(items, waiting, is_over), daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is END:
                return
            yield item
            del item  # or it would be held while the next one is waited for
    finally:
        is_over.set()
        with contextlib.suppress(queue.Empty):
            while True:
                waiting.get_nowait()  # the thread may wait for a free place
        thread.join()


def _fill(items, waiting, is_over):
    """Put the items into a queue, then the end or the error, until nobody wants them."""
    try:
        for item in items:
            _put((item, None), waiting, is_over)
            del item
            if is_over.is_set():
                break
        last = (END, None)
    except BaseException as error:
        last = (None, error)
    finally:
        if hasattr(items, "close"):
            items.close()
    _put(last, waiting, is_over)


def _put(entry, waiting, is_over):
    """Wait for a free place, unless it is over."""
    while not is_over.is_set():
        with contextlib.suppress(queue.Full):
            waiting.put(entry, timeout=0.1)
            return
