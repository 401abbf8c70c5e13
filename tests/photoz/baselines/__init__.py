"""Tests of `photoz_morph.photoz.baselines`."""
