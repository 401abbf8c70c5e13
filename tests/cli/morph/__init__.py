"""Tests of `photoz_morph.cli.photoz`."""
