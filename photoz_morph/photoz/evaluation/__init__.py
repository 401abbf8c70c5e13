"""Scores of redshift predictions, comparisons and trials."""
