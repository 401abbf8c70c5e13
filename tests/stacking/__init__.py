"""Tests of `photoz_morph.stacking.stack`."""
