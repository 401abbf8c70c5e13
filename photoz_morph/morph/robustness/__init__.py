"""Attacks, latent distances and perturbations of trained runs."""
