"""Tests of `photoz_morph.beam`."""
