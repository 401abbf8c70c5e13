import os
import subprocess
import sys

import pytest

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


@pytest.mark.parametrize("chosen, expected", [(None, "1"), ("0", "0")])
def test_convolutions_of_onednn_are_on_unless_the_environment_says_otherwise(chosen, expected):
    environment = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {} if chosen is None else {"TF_ENABLE_ONEDNN_OPTS": chosen}
    code = """
import os
from photoz_morph.training.quiet import quiet_tensorflow
quiet_tensorflow()
from tensorflow.python.util import _pywrap_util_port
print(os.environ["TF_ENABLE_ONEDNN_OPTS"], int(_pywrap_util_port.IsMklEnabled()))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.stdout.split() == [expected, expected], result.stderr
