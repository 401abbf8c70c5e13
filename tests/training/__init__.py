"""Tests of `photoz_morph.training`."""
