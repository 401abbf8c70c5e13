"""Tests of `photoz_morph.report.explanations`."""
