"""Import of TensorFlow, fast on all CPUs and without the start-up messages of its libraries."""

import logging
import os
import sys


def quiet_tensorflow():
    """Import TensorFlow without the start-up messages of its libraries; errors and later messages are kept.

    The messages go to file descriptor 2 before any log level is read, so it is redirected during the import.

    TensorFlow leaves the convolutions of oneDNN off on CPUs without AVX-512 VNNI, where a training step of ResNet18
    takes little more than half the time with them (`scripts/benchmarks/onednn.py`). TF_ENABLE_ONEDNN_OPTS=0 in the
    environment keeps them off.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    logging.getLogger("absl").setLevel(logging.ERROR)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            import tensorflow  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
