"""Robustness of classifiers: one-pixel attacks, physical perturbations, latent geometry."""
