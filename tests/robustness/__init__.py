"""Tests of `photoz_morph.robustness`."""
