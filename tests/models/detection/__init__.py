"""Tests of `photoz_morph.models.detection`."""
