"""What photometry alone achieves: local-linear k-NN and gradient boosting."""
