"""Tests of the commands of `blend`."""
