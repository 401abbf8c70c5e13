"""Tests of `photoz_morph.robustness.one_pixel`."""
