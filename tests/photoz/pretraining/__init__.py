"""Tests of `photoz_morph.photoz.pretraining`."""
