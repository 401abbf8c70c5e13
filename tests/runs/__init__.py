"""Tests of `photoz_morph.runs`."""
