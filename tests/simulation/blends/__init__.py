"""Tests of the simulated fields of blended galaxies."""
