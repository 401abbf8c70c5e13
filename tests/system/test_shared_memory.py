import os
import pickle
import subprocess
import sys

import pytest

from photoz_morph.system.shared_memory import IS_POSSIBLE, SharedMemory
from tests.support.paths import ROOT

pytestmark = pytest.mark.skipif(not IS_POSSIBLE, reason="this system has no memfd_create")

OTHER = """
import pickle, sys
memory = pickle.loads(bytes.fromhex(sys.argv[1]))
with memory.block("images") as block:
    print(block[:4].decode(), flush=True)
    block[4:8] = b"more"
    if len(sys.argv) > 2:
        sys.stdin.read()
"""


def other_process(memory, *arguments):
    command = [sys.executable, "-c", OTHER, pickle.dumps(memory).hex(), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_another_process_reads_and_writes_the_same_bytes():
    with SharedMemory({"images": 10**9}) as memory:
        with memory.block("images") as block:
            block[:4] = b"data"
        assert other_process(memory).communicate()[0] == "data\n"
        assert block[:12] == b"datamore\0\0\0\0"


def test_untouched_memory_is_not_taken_and_none_is_left_behind():
    with SharedMemory({"images": 10**9, "others": 10**9}) as memory:
        assert memory.used() == 0
        with memory.block("images") as block:
            block[10**6] = 1
        assert 0 < memory.used() <= 10**5
        paths = [f"/proc/{os.getpid()}/fd/{number}" for number in memory._descriptors.values()]
        assert all(map(os.path.exists, paths))
    assert not any(map(os.path.exists, paths))


def test_a_block_has_one_process_at_a_time_and_is_free_after_a_kill():
    with SharedMemory({"images": 4096}) as memory:
        holder = other_process(memory, "wait")
        assert holder.stdout.readline()
        waiting = other_process(memory)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
        holder.kill()
        assert waiting.communicate(timeout=30)[0].endswith("\n")
        holder.communicate()
