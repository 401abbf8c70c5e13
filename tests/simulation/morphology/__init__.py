"""Tests of `photoz_morph.simulation.morphology`."""
