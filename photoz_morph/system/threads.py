"""Single-threaded matrix products, for results that do not depend on the machine."""

from functools import lru_cache

from threadpoolctl import ThreadpoolController


def one_thread():
    """Context manager in which matrix products use one thread.

    The last bits of a product depend on the number of threads, and a simulated object must not depend on the machine.
    For small products several threads mostly wait for each other, at three times the processor time.
    """
    return _thread_pools().limit(limits=1)


@lru_cache(maxsize=1)
def _thread_pools():
    return ThreadpoolController()
