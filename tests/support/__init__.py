"""Samples, synthetic files and helpers that several test files use."""
