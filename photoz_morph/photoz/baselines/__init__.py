"""Photometric baselines: local-linear k-NN and gradient boosting."""
