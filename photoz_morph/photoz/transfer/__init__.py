"""Redshift networks that start from those of another run, perhaps of another survey: bands, pixels, weights."""
