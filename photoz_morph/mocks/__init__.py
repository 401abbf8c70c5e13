"""Noiseless images to LSST mocks with Gini-M20 labels."""
