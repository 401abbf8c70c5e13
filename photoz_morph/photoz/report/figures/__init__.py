"""Figures of the photo-z report: arrays in, Matplotlib figures out."""
