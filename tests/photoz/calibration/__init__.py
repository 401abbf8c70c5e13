"""Tests of `photoz_morph.photoz.formats`."""
