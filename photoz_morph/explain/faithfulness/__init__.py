"""Whether an explanation is of the network: curves of removed pixels, fidelity, randomised weights, other members."""
