"""Galaxies in the latent space of a network: which are alike, and where they are on a map of it."""
