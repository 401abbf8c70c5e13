import numpy as np

from photoz_morph.catalogs.depth import at_depth

N_FRAMES = np.array([[10, 10], [40, 12], [9, 40], [1, 2], [np.nan, 20], [np.nan, np.nan]])


def test_a_deep_galaxy_has_ten_frames_in_every_band():
    assert list(at_depth(N_FRAMES, "deep")) == [True, True, False, False, False, False]


def test_a_galaxy_of_unknown_depth_is_neither_deep_nor_shallow():
    assert list(at_depth(N_FRAMES, "shallow")) == [False, False, True, True, False, False]
    assert at_depth(N_FRAMES, "all").all()


def test_one_number_of_frames_holds_for_all_bands():
    assert list(at_depth(np.array([10, 9, np.nan]), "deep")) == [True, False, False]
    assert list(at_depth(np.array([10, 9, np.nan]), "shallow")) == [False, True, False]
