"""Figures of the morphology report: arrays in, Matplotlib figures out."""
