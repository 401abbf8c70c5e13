"""Tests of `photoz_morph.morph.report.figures`."""
