"""Tests of `photoz_morph.adaptation`."""
