"""Simulated noiseless images of spirals, ellipticals and mergers."""
