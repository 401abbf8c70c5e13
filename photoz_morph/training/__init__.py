"""Fit one network; members x folds; several networks at once."""
