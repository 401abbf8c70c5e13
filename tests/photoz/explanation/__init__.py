"""Tests of `photoz_morph.photoz.explanation`."""
