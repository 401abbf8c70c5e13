"""Tests of `photoz_morph.mocks.observe`."""
