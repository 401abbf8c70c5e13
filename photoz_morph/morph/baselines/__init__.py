"""Baselines of the networks: classes from simple measurements of the stamps."""
