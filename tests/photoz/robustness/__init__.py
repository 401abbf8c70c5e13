"""Tests of `photoz_morph.photoz.robustness`."""
