"""Baselines of the networks: sources by SExtractor's rules, classes from their measurements."""
