"""Tests of `photoz_morph.models.exports`."""
