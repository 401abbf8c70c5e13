"""Tests of `photoz_morph.robustness.few_pixels`."""
