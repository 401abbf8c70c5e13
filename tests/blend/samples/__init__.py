"""Tests of `photoz_morph.blend.samples`."""
