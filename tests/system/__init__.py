"""Tests of `photoz_morph.system`."""
