"""Memory that the processes of one command share.

    with SharedMemory({"images": 10**9}) as memory:
        ...                                  # here and in processes that were started with `memory`:
        with memory.block("images") as block:  # one process at a time
            block[:4] = b"data"

It is a file without a name or place on disk (Linux: memfd_create(2)), so nothing is left behind however they end, and
what is never touched takes no memory.
"""

import contextlib
import fcntl
import mmap
import os

IS_POSSIBLE = hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd")


class SharedMemory:
    """Blocks of memory, zero at first, for the process that makes this and those that it starts.

    Picklable; valid until the process that made it leaves its `with` block. Others keep what they have opened.

    Parameters
    ----------
    sizes : dict of str to int
        Bytes of each block, by name.
    """

    def __init__(self, sizes):
        self._sizes, self._descriptors, self._blocks = dict(sizes), {}, {}
        for name, size in sizes.items():
            self._descriptors[name] = os.memfd_create(name)
            os.ftruncate(self._descriptors[name], size)
        self._paths = {name: f"/proc/{os.getpid()}/fd/{number}" for name, number in self._descriptors.items()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])

    def __getstate__(self):
        return {"_sizes": self._sizes, "_paths": self._paths, "_descriptors": {}, "_blocks": {}}

    @contextlib.contextmanager
    def block(self, name):
        """The block of a name, a writable mmap, while no other process has it; it may be read at any time later."""
        if name not in self._blocks:
            file = open(self._paths[name], "r+b")
            self._blocks[name] = file, mmap.mmap(file.fileno(), self._sizes[name])
        file, block = self._blocks[name]
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield block
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def used(self):
        """Memory that has been written to [bytes]; in the process that made it."""
        return sum(512 * os.fstat(number).st_blocks for number in self._descriptors.values())
