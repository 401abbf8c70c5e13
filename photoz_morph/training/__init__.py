"""Training: one network, an ensemble of members x folds, and several networks at once."""
