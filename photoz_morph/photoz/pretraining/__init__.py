"""Pre-training on galaxies with and without redshift by contrast, colours and redshift (PITA 2026)."""
