"""Tests of `photoz_morph.sources`."""
