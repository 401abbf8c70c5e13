"""Tests of `photoz_morph.photoz.report`."""
