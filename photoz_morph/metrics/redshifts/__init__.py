"""Scores of photometric redshifts and their PDFs."""
