"""Photometric baselines: local-linear k-NN, gradient boosting, and small neural networks, also with crude shapes."""
