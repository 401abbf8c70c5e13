"""Tests of `photoz_morph.explain.attribution`."""
