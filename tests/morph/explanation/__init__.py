"""Tests of `photoz_morph.morph.explanation`."""
