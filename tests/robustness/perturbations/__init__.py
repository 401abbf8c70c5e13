"""Tests of `photoz_morph.robustness.perturbations.registry`."""
