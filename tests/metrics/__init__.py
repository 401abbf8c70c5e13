"""Tests of `photoz_morph.metrics`."""
