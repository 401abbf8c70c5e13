import subprocess
import sys

SCRIPT = """
import os, sys
from photoz_morph.training.quiet import quiet_tensorflow
quiet_tensorflow()
assert "tensorflow" in sys.modules
os.write(2, b"a later message")
"""


def test_tensorflow_is_imported_without_messages_and_later_ones_are_kept():
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr == "a later message" and result.stdout == ""
