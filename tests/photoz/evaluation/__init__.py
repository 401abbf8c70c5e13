"""Tests of `photoz_morph.photoz.evaluation`."""
