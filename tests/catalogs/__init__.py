"""Tests of `photoz_morph.catalogs.galaxies`."""
