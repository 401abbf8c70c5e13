"""Scores: NumPy functions of truth and predictions."""
