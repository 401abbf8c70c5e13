"""Tests of `tfds_builders`."""
