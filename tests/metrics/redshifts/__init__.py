"""Tests of `photoz_morph.metrics.redshifts`."""
