"""Pixels of frames, and frames that cannot be read."""

import bz2
from pathlib import Path

import numpy as np
import pytest

from photoz_morph.stacking.frame_index import index_frames
from photoz_morph.stacking.frames import read_frame
from photoz_morph.surveys import SDSS
from tests.support.frames import R_ONLY, frame_header, write_frame
from tests.support.paths import DATA


def test_header_of_a_frame_compressed_by_bzip2_reads_the_same(tmp_path):
    header = frame_header(30.0, 10.0)
    path = write_frame(tmp_path, np.random.default_rng(1).normal(size=(150, 150)), header)
    plain = index_frames(tmp_path, R_ONLY)
    image = read_frame(plain[0])
    Path(f"{path}.bz2").write_bytes(bz2.compress(path.read_bytes()))
    path.unlink()
    compressed = index_frames(tmp_path, R_ONLY)
    np.testing.assert_array_equal(compressed["center"], plain["center"])
    np.testing.assert_array_equal(read_frame(compressed[0]), image)


def test_frame_damaged_inside_is_refused_when_read(tmp_path):
    path = DATA / "frames" / "frame-u-003918-3-0213.fits.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / path.name).write_bytes(content)
    with pytest.raises(ValueError, match="truncated or damaged frame"):
        read_frame(next(frame for frame in index_frames(tmp_path, SDSS, keep_bad=True)))
