"""Tests of `photoz_morph.blend.finding`."""
