"""Tests of `photoz_morph.explain.occlusion`."""
