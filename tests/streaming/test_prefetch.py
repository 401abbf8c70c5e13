import threading
import time

import pytest

from photoz_morph.streaming.prefetch import prefetched


def test_items_come_in_order_and_are_made_ahead_of_their_use():
    made = []

    def items():
        for number in range(5):
            made.append(number)
            yield number

    ahead = prefetched(items())
    assert next(ahead) == 0
    deadline = time.monotonic() + 10
    while len(made) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert made == [0, 1, 2]  # one in use, one that waits, one for which there is no place yet
    assert list(ahead) == [1, 2, 3, 4]


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("the second cannot be read")

    ahead = prefetched(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="the second cannot be read"):
        next(ahead)


def test_a_reader_that_is_not_wanted_any_more_ends_and_closes_its_items():
    closed = []

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.append(threading.current_thread())

    before = threading.active_count()
    ahead = prefetched(items())
    next(ahead)
    ahead.close()
    assert threading.active_count() == before and len(closed) == 1
    assert closed[0] is not threading.current_thread()
