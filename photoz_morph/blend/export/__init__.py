"""Runs of `blend` as SavedModels, and what these make of real images."""
