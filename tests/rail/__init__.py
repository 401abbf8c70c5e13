"""Tests of `photoz_morph.rail`."""
