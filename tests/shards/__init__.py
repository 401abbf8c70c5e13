"""Tests of `photoz_morph.shards.stacks`."""
