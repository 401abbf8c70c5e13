"""Geometry of a latent space: distances, margins, church windows."""
