"""One thread for matrix products, so that results do not depend on the machine."""

from functools import lru_cache

from threadpoolctl import ThreadpoolController


def one_thread():
    """Context in which matrix products use one thread.

    The last bits of a product depend on the number of threads, and an object must not depend on the machine; for
    products as small as ours several threads mostly wait for each other, at three times the processor time.
    """
    return _thread_pools().limit(limits=1)


@lru_cache(maxsize=1)
def _thread_pools():
    return ThreadpoolController()
