"""Tests of `photoz_morph.explain.faithfulness`."""
