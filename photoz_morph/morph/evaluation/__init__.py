"""Scores of morphology predictions and comparisons of runs."""
