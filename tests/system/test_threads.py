import numpy as np
from threadpoolctl import threadpool_info

from photoz_morph.system.threads import one_thread


def threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_matrix_products_use_one_thread_inside_and_as_many_as_before_outside():
    np.ones((2, 2)) @ np.ones((2, 2))  # loads the library
    before = threads()
    with one_thread():
        assert threads() and set(threads()) == {1}
    assert threads() == before
